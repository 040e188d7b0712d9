// What only PostgreSQL's locks, snapshots and indexes can do to a migration.
#include <fmt/format.h>

#include "child.hpp"
#include "sluice/runtime/wake.hpp"
#include "sluice/testing/error_page.hpp"
#include "world.hpp"

namespace sluice::contract {
namespace {

using migrate::Report;
using migrate::StepState;

class MigratingPostgres : public MigrateContract {};

TEST_P(MigratingPostgres, a_stricter_default_isolation_does_not_hide_what_another_program_applied) {
    for (const char* const level : {"repeatable read", "serializable"}) {
        const auto sandbox = driver().make_sandbox();
        const auto name = sandbox->location().substr(sandbox->location().find_last_of('/') + 1);
        const auto source = sandbox->open(metrics());
        const auto set_level = [](db::DataSource& on, std::string sql) -> Task<void> {
            const auto connection = co_await on.acquire(db::AccessIntent::write);
            co_await connection->execute(std::move(sql));
        };
        wait(
            set_level(*source, fmt::format("alter database {} set default_transaction_isolation = '{}'", name, level)));
        wait(source->close());
        std::vector<std::unique_ptr<MigrateChild>> programs;
        for (int i = 0; i < 4; ++i)
            programs.push_back(std::make_unique<MigrateChild>(driver(), sandbox->location()));
        std::size_t applied = 0;
        for (const auto& program : programs) {
            const std::string text = program->output();
            ASSERT_EQ(text.find_first_not_of("0123456789"), std::string::npos) << text;
            applied += std::stoul(text);
        }
        EXPECT_EQ(applied, child_steps().size());
    }
}

TEST_P(MigratingPostgres, a_table_that_others_use_is_waited_for_no_longer_than_the_lock_wait) {
    run(two_tables());
    auto steps = two_tables();
    steps.push_back(step_of(3, {"alter table b add column y integer"}));
    std::string text;
    const auto migrate_meanwhile = [&](db::UnitOfWork& unit) -> Task<void> {
        co_await unit.query("select * from b");
        const auto other = sandbox().open(metrics());
        migrate::Runner runner({steps}, {}, {.lock_wait = std::chrono::milliseconds(80)});
        try {
            co_await runner.run(*other);
        } catch (const db::Error& error) {
            text = error.what();
        }
        co_await other->close();
    };
    EXPECT_EQ(outcome(migrate_meanwhile), "ok");

    EXPECT_NE(text.find("timeout: migration shop 0003 step3: another process holds the database"), std::string::npos)
        << text;
    EXPECT_EQ(run(steps).steps.at(2).state, StepState::applied_now);
}

TEST_P(MigratingPostgres, the_lock_does_not_outlive_its_transaction) {
    run(two_tables());
    const auto free = [](db::UnitOfWork& unit) -> Task<void> {
        const auto row = co_await unit.query_one("select pg_try_advisory_xact_lock(8317151707346070887)");
        EXPECT_TRUE(row->get<bool>(0));
        const auto limit = co_await unit.query_one("select current_setting('lock_timeout')");
        EXPECT_EQ(limit->get<std::string>(0), "0");
    };
    EXPECT_EQ(outcome(free), "ok");
}

/// Step 3 holds `statements` besides the two tables.
std::vector<migrate::Migration> with_third(const std::vector<std::string>& statements) {
    auto steps = two_tables();
    steps.push_back(step_of(3, statements));
    return steps;
}

TEST_P(MigratingPostgres, an_index_is_built_concurrently_beside_other_statements) {
    const auto steps = with_third({"alter table b add column y integer", "create index concurrently b_y on b(y)",
                                   "insert into b(x, y) values (2, 2)", "vacuum b"});

    EXPECT_EQ(run(steps).steps.at(2).state, StepState::applied_now);

    EXPECT_EQ(count("b"), 2);
    EXPECT_EQ(count("pg_index where indexrelid = to_regclass('b_y') and indisvalid"), 1);
    EXPECT_EQ(count("sluice_migration_progress"), 0);
    EXPECT_EQ(run(steps).steps.at(2).state, StepState::applied_before);
}

TEST_P(MigratingPostgres, an_index_that_cannot_be_built_leaves_none_and_its_text_may_be_corrected) {
    const auto wrong = with_third({"insert into b(x) values (1)", "create unique index concurrently b_x on b(x)"});

    const std::string text = refusal(wrong);

    EXPECT_NE(text.find("conflict: migration shop 0003 step3: statement 2 of 2; those before it stay, correct it and "
                        "run again: "),
              std::string::npos)
        << text;
    EXPECT_EQ(testing::error_row_complaint("Of migrations", as_of_shop(text)), "");
    EXPECT_EQ(count("pg_class where relname = 'b_x'"), 0);
    EXPECT_EQ(count("b"), 2);
    EXPECT_EQ(count("sluice_migrations"), 2);
    const auto other = with_third({"insert into b(x) values (3)", "create index concurrently b_x on b(x)"});
    EXPECT_NE(refusal(other).find("stopped at its statement 1 and the text up to there was changed"), std::string::npos)
        << refusal(other);
    const auto right = with_third({"insert into b(x) values (1)", "create index concurrently b_x on b(x)"});
    EXPECT_EQ(run(right).steps.at(2).state, StepState::applied_now);
    EXPECT_EQ(count("b"), 2) << "a statement that was done ran again";
}

TEST_P(MigratingPostgres, an_index_without_a_name_is_refused) {
    const std::string text = refusal(with_third({"create index concurrently on b(x)"}));
    EXPECT_NE(text.find("config: migration shop 0003 step3: name the index that is built concurrently"),
              std::string::npos)
        << text;
}

Task<std::int64_t> number_on(db::DataSource& source, std::string sql) {
    const auto connection = co_await source.acquire(db::AccessIntent::read);
    const auto row = co_await connection->query_one(std::move(sql));
    co_return row->get<std::int64_t>(0);
}

/// For each line of a program's log: a fresh database, a program that is killed there, and one that goes on.
TEST_P(MigratingPostgres, programs_killed_at_any_line_of_their_log_repeat_no_statement) {
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
        EXPECT_EQ(wait(number_on(*database, "select count(*) from tally")), 3) << "killed at line " << line;
        EXPECT_EQ(wait(number_on(*database,
                                 "select count(*) from pg_index where indexrelid = to_regclass('tally_n') "
                                 "and indisvalid")),
                  1)
            << "killed at line " << line;
        EXPECT_EQ(wait(number_on(*database, "select count(*) from sluice_migration_progress")), 0);
        EXPECT_EQ(wait(number_on(*database, "select count(*) from sluice_migrations")), 1);
        wait(database->close());
        ASSERT_LT(kills, 100);
    }
    fmt::print("{}: {} kills between statements\n", driver().name(), kills);
    EXPECT_GT(kills, 10);
}

/// Leaves an index that is invalid, as a power cut in the middle of its building does.
Task<void> build_in_vain(db::DataSource& source) {
    const auto connection = co_await source.acquire(db::AccessIntent::write);
    co_await connection->execute("insert into b(x) values (1)");
    try {
        co_await connection->execute("create unique index concurrently b_x on b(x)");
    } catch (const db::Error&) {
        // It stays behind.
    }
}

TEST_P(MigratingPostgres, an_index_whose_building_was_interrupted_is_built_anew) {
    {
        MigrateChild program(driver(), sandbox().location(), 3, "index");
        program.output();
        ASSERT_TRUE(program.was_killed());
    }
    ASSERT_EQ(count("sluice_migration_progress where begun = 1"), 1);
    wait(build_in_vain(source()));
    ASSERT_EQ(count("pg_index where indexrelid = to_regclass('b_x') and not indisvalid"), 1);

    EXPECT_EQ(run(steps_named("index")).steps.at(2).state, StepState::applied_now);
    EXPECT_EQ(count("pg_index where indexrelid = to_regclass('b_x') and indisvalid"), 1);
}

TEST_P(MigratingPostgres, an_invalid_index_of_somebody_else_is_not_taken_for_the_one_that_is_wanted) {
    run(two_tables());
    wait(build_in_vain(source()));
    const auto steps = with_third({"create index concurrently if not exists b_x on b(x)"});

    const std::string text = refusal(steps);

    EXPECT_NE(text.find("index b_x was there and is invalid; drop it"), std::string::npos) << text;
    EXPECT_EQ(count("sluice_migrations"), 2);
    execute("drop index concurrently b_x");
    EXPECT_EQ(run(steps).steps.at(2).state, StepState::applied_now);
}

INSTANTIATE_TEST_SUITE_P(Migrate, MigratingPostgres, ::testing::Values(&postgres_driver(), &pgbouncer_driver()),
                         name_of_driver);

}  // namespace
}  // namespace sluice::contract
