// Migrations on every database: what is applied, once, by whom, and what stops them.
#include <fmt/format.h>

#include "child.hpp"
#include "sluice/testing/error_page.hpp"
#include "sluice/testing/scale.hpp"
#include "world.hpp"

namespace sluice::contract {
namespace {

using migrate::Report;
using migrate::StepState;

class Migrating : public MigrateContract {};

TEST_P(Migrating, applies_what_is_missing_and_nothing_twice) {
    const Report first = run(two_tables());
    auto more = two_tables();
    more.push_back(step_of(3, {"insert into b(x) values (2)"}));
    const Report second = run(more);

    EXPECT_EQ(first.steps.at(1).state, StepState::applied_now);
    EXPECT_EQ(second.steps.at(1).state, StepState::applied_before);
    EXPECT_EQ(second.steps.at(2).state, StepState::applied_now);
    EXPECT_EQ(count("b"), 2);
    EXPECT_EQ(count("sluice_migrations"), 3);
}

TEST_P(Migrating, a_plan_changes_nothing_and_verify_wants_everything_applied) {
    migrate::Runner runner({two_tables()}, {});

    EXPECT_EQ(wait(runner.plan(source())).steps.at(0).state, StepState::pending);
    EXPECT_FALSE(has_table("sluice_migrations"));
    EXPECT_THROW(wait(runner.verify(source())), db::Error);
    run(two_tables());
    EXPECT_EQ(wait(runner.verify(source())).steps.at(1).state, StepState::applied_before);
}

TEST_P(Migrating, a_changed_text_a_gap_and_a_newer_database_each_stop_the_start_with_a_line) {
    run(two_tables());
    auto changed = two_tables();
    changed[0] = step_of(1, {"create table a(x text)"});
    EXPECT_NE(refusal(changed).find("config: migration shop 0001 step1 was changed after it had been applied"),
              std::string::npos)
        << refusal(changed);
    EXPECT_NE(refusal({two_tables()[0]}).find("is at version 2, this program knows 1; start the newer program"),
              std::string::npos);
    execute("delete from sluice_migrations where version = 1");
    EXPECT_NE(refusal(two_tables()).find("the ledger misses shop 0001 step1 although version 2 was applied"),
              std::string::npos);
}

TEST_P(Migrating, a_failing_step_leaves_nothing_and_keeps_those_before_it) {
    auto steps = two_tables();
    steps.push_back(step_of(3, {"create table c(x integer)", "insert into nowhere(x) values (1)"}));

    const std::string text = refusal(steps);

    EXPECT_NE(text.find("query: migration shop 0003 step3: "), std::string::npos) << text;
    EXPECT_NE(text.find("in `insert into nowhere(x) values (?)`"), std::string::npos) << text;
    if (source().dialect() == db::Dialect::postgres) {
        EXPECT_EQ(testing::error_row_complaint("Of migrations", as_of_shop(text)), "");
    }
    EXPECT_EQ(count("sluice_migrations"), 2);
    // Where DDL ends a transaction the table stays, and the step goes on behind it.
    EXPECT_EQ(has_table("c"), source().dialect() == db::Dialect::mariadb);
    steps.back() = step_of(3, {"create table c(x integer)", "insert into c(x) values (1)"});
    EXPECT_EQ(run(steps).steps.at(2).state, StepState::applied_now);
    EXPECT_EQ(count("c"), 1);
}

TEST_P(Migrating, a_step_cannot_end_its_own_transaction) {
    EXPECT_NE(refusal({step_of(1, {"create table a(x integer)", "commit"})}), "accepted");
    EXPECT_FALSE(has_table("a"));
}

/// How many steps programs that start together have applied, all in all.
std::size_t applied_together(const Driver& driver, const std::string& location) {
    constexpr int kPrograms = 5;
    std::vector<std::unique_ptr<MigrateChild>> programs;
    for (int i = 0; i < kPrograms; ++i)
        programs.push_back(std::make_unique<MigrateChild>(driver, location));
    std::size_t applied = 0;
    for (const auto& program : programs) {
        const std::string text = program->output();
        const bool number = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
        EXPECT_TRUE(number) << text;
        if (number) applied += std::stoul(text);
    }
    return applied;
}

TEST_P(Migrating, programs_that_start_together_apply_each_step_once) {
    constexpr int kRounds = 6;  // which of them meet is up to the machine
    for (int round = 1; round < kRounds; ++round) {
        const std::unique_ptr<Sandbox> another = driver().make_sandbox();
        EXPECT_EQ(applied_together(driver(), another->location()), child_steps().size());
    }
    EXPECT_EQ(applied_together(driver(), sandbox().location()), child_steps().size());
    EXPECT_EQ(count("done"), static_cast<std::int64_t>(child_steps().size()));
    EXPECT_EQ(count("sluice_migrations"), static_cast<std::int64_t>(child_steps().size()));
}

TEST_P(Migrating, two_shards_that_start_together_apply_each_step_once) {
    migrate::Runner runner({child_steps()}, {});
    const auto other = sandbox().open(metrics());
    auto first = runtime::start_on(shard(0), runner.run(source()));
    auto second = runtime::start_on(shard(1), runner.run(*other));
    const Report one = first.get();
    const Report two = second.get();

    for (std::size_t i = 0; i < child_steps().size(); ++i)
        EXPECT_NE(one.steps[i].state == StepState::applied_now, two.steps[i].state == StepState::applied_now) << i;
    EXPECT_EQ(count("done"), static_cast<std::int64_t>(child_steps().size()));
    wait(other->close());
}

/// A killed program's database, migrated by programs that are killed later and later, ends as if nobody had been.
TEST_P(Migrating, programs_killed_at_every_line_of_their_log_leave_whole_steps) {
    int kills = 0;
    for (int line = 1;; ++line) {
        MigrateChild program(driver(), sandbox().location(), line);
        const std::string text = program.output();
        if (!program.was_killed()) {
            EXPECT_EQ(text.find_first_not_of("0123456789"), std::string::npos) << text;
            break;
        }
        ++kills;
        ASSERT_LT(kills, 1'000);
    }
    EXPECT_GT(kills, 2);
    EXPECT_EQ(count("done"), static_cast<std::int64_t>(child_steps().size()));
    EXPECT_EQ(count("sluice_migrations"), static_cast<std::int64_t>(child_steps().size()));
}

/// What a program that migrates holds meanwhile, and what lets it go besides the end of its transaction.
struct LockSql {
    std::string take;
    std::string let_go;
};

LockSql lock_of(db::Dialect dialect) {
    if (dialect == db::Dialect::postgres) return {"select pg_advisory_xact_lock(8317151707346070887)", "select 1"};
    if (dialect == db::Dialect::mariadb)
        return {"select get_lock(concat('sluice_migrate_', md5(database())), 10)",
                "select release_lock(concat('sluice_migrate_', md5(database())))"};
    return {"create table held(x integer)", "select 1"};
}

TEST_P(Migrating, the_wait_for_another_program_is_bounded_and_says_so) {
    std::string text;
    const auto migrate_meanwhile = [&](db::UnitOfWork& unit) -> Task<void> {
        co_await unit.query(lock_of(source().dialect()).take);
        const auto other = sandbox().open(metrics());
        migrate::Runner runner({two_tables()}, {}, {.lock_wait = std::chrono::milliseconds(80)});
        try {
            co_await runner.run(*other);
        } catch (const db::Error& error) {
            text = error.what();
        }
        co_await other->close();
        co_await unit.query(lock_of(source().dialect()).let_go);
        throw std::runtime_error("let go");
    };
    EXPECT_EQ(outcome(migrate_meanwhile), "let go");

    EXPECT_NE(text.find("timeout: migration shop 0001 step1: another process holds the database"), std::string::npos)
        << text;
    EXPECT_EQ(testing::error_row_complaint("Of migrations", as_of_shop(text)), "");
    EXPECT_EQ(run(two_tables()).steps.at(1).state, StepState::applied_now);
}

INSTANTIATE_TEST_SUITE_P(Migrate, Migrating, ::testing::ValuesIn(drivers()), name_of_driver);

}  // namespace
}  // namespace sluice::contract
