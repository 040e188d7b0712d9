// What MariaDB's DDL, which ends a transaction, does to a migration.
#include <fmt/format.h>

#include "child.hpp"
#include "world.hpp"

namespace sluice::contract {
namespace {

using migrate::StepState;

class MigratingMariadb : public MigrateContract {};

Task<std::string> text_on(db::DataSource& source, std::string sql) {
    const auto connection = co_await source.acquire(db::AccessIntent::read);
    const auto row = co_await connection->query_one(std::move(sql));
    co_return row->get<std::string>(0);
}

TEST_P(MigratingMariadb, a_failing_statement_keeps_those_before_it_and_may_be_corrected) {
    const std::vector<std::string> wrong{"create table c(x integer)", "insert into c(x) values (1)",
                                         "alter table nowhere add y integer", "insert into c(x) values (2)"};
    const std::string text = refusal({step_of(1, wrong)});

    EXPECT_NE(text.find("query: migration shop 0001 step1: statement 3 of 4; those before it stay, correct it and run "
                        "again: "),
              std::string::npos)
        << text;
    EXPECT_EQ(count("c"), 1);
    EXPECT_EQ(count("sluice_migrations"), 0);
    auto other = wrong;
    other[0] = "create table c(x bigint)";
    EXPECT_NE(refusal({step_of(1, other)}).find("stopped at its statement 2 and the text up to there was changed"),
              std::string::npos);
    auto right = wrong;
    right[2] = "alter table c add y integer";
    EXPECT_EQ(run({step_of(1, right)}).steps.at(0).state, StepState::applied_now);
    EXPECT_EQ(count("c"), 2);
    EXPECT_EQ(count("sluice_migration_progress"), 0);
}

TEST_P(MigratingMariadb, statements_that_would_change_the_connection_are_refused_before_anything_runs) {
    for (const char* const sql : {"commit", "set foreign_key_checks = 0", "use mysql"}) {
        const std::string text = refusal({step_of(1, {"create table c(x integer)", sql})});
        EXPECT_NE(text.find("config: migration shop 0001 step1: "), std::string::npos) << text;
        EXPECT_FALSE(has_table("c")) << sql;
    }
}

/// For each line of a program's log: a fresh database, a program that is killed there, and one that goes on.
TEST_P(MigratingMariadb, programs_killed_at_any_line_of_their_log_repeat_no_statement) {
    int kills = 0;
    for (int line = 1;; ++line) {
        const auto fresh = driver().make_sandbox();
        MigrateChild program(driver(), fresh->location(), line, "counted");
        program.output();
        if (!program.was_killed()) break;
        ++kills;
        const std::string text = MigrateChild(driver(), fresh->location(), 0, "counted").output();
        EXPECT_TRUE(text == "1" || text == "0") << text;
        const auto database = fresh->open(metrics());
        EXPECT_EQ(wait(text_on(*database,
                               "select cast(concat(group_concat(n order by n), '; ', "
                               "(select count(*) from information_schema.statistics where table_schema = "
                               "database() and table_name = 'tally'), '; ', (select count(*) from "
                               "information_schema.check_constraints where constraint_schema = database() "
                               "and table_name = 'tally')) as char) from tally")),
                  "2,3,3; 1; 1")
            << "killed at line " << line;
        wait(database->close());
        ASSERT_LT(kills, 100);
    }
    fmt::print("{}: {} kills between statements\n", driver().name(), kills);
    EXPECT_GT(kills, 10);
}

INSTANTIATE_TEST_SUITE_P(Migrate, MigratingMariadb, ::testing::Values(&mariadb_driver()), name_of_driver);

}  // namespace
}  // namespace sluice::contract
