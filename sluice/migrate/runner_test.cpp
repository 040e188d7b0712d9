#include "sluice/migrate/runner.hpp"

#include <gtest/gtest.h>

#include "sluice/db/error.hpp"
#include "sluice/db/sqlite/database.hpp"
#include "sluice/runtime/run_task.hpp"
#include "sluice/runtime/scope.hpp"
#include "sluice/testing/temp_folder.hpp"

namespace sluice::migrate {
namespace {

using db::Dialect;

Migration step(int version, std::vector<std::string> statements) {
    return {"shop", version, "step" + std::to_string(version), {{Dialect::sqlite, std::move(statements)}}};
}

std::vector<Migration> two_tables() {
    return {step(1, {"create table a(x integer)"}), step(2, {"create table b(x integer)", "insert into b values (1)"})};
}

struct RunnerOnFile : ::testing::Test {
    std::shared_ptr<db::sqlite::Database> open(const std::string& name) {
        db::sqlite::Settings settings;
        settings.name = name;
        settings.path = folder.file(name + ".sqlite3");
        return db::sqlite::Database::open(settings, core::Logger(), metrics);
    }
    void close(db::DataSource& source) { runtime::run_task(shard, source.close()); }
    Report run(db::DataSource& source, std::vector<Migration> migrations) {
        Runner runner({std::move(migrations)}, core::Logger());
        return runtime::run_task(shard, runner.run(source));
    }
    std::int64_t count(db::DataSource& source, const std::string& table) {
        return runtime::run_task(shard, count_rows(source, table));
    }
    static db::Task<std::int64_t> count_rows(db::DataSource& source, std::string table) {
        const auto connection = co_await source.acquire(db::AccessIntent::read);
        const auto row = co_await connection->query_one("select count(*) from " + table);
        co_return row->get<std::int64_t>(0);
    }

    testing::TempFolder folder;
    core::Metrics metrics;
    runtime::Shard shard{0, core::real_clock()};
};

TEST_F(RunnerOnFile, applies_what_is_missing_and_nothing_twice) {
    const auto source = open("shop");

    const Report first = run(*source, two_tables());
    const Report second = run(*source, two_tables());

    EXPECT_EQ(first.steps.at(0).state, StepState::applied_now);
    EXPECT_EQ(first.steps.at(1).state, StepState::applied_now);
    EXPECT_EQ(second.steps.at(1).state, StepState::applied_before);
    EXPECT_EQ(count(*source, "b"), 1);
    EXPECT_EQ(count(*source, "sluice_migrations"), 2);
    close(*source);
}

TEST_F(RunnerOnFile, a_broken_migration_leaves_nothing_and_keeps_the_ones_before) {
    const auto source = open("shop");
    auto migrations = two_tables();
    migrations.push_back(step(3, {"create table c(x integer)", "insert into nowhere values (1)"}));

    EXPECT_THROW(run(*source, migrations), db::Error);

    EXPECT_EQ(count(*source, "sluice_migrations"), 2);
    EXPECT_EQ(count(*source, "sqlite_schema where name = 'c'"), 0);
    migrations.back() = step(3, {"create table c(x integer)"});
    EXPECT_EQ(run(*source, migrations).steps.at(2).state, StepState::applied_now);
    close(*source);
}

TEST_F(RunnerOnFile, drift_is_a_config_error_with_one_line_that_says_what_to_do) {
    const auto source = open("shop");
    run(*source, two_tables());
    auto changed = two_tables();
    changed[0] = step(1, {"create table a(x text)"});

    try {
        run(*source, changed);
        FAIL() << "a changed migration was accepted";
    } catch (const db::Error& e) {
        EXPECT_EQ(e.kind(), db::ErrorKind::config);
        EXPECT_NE(std::string(e.what()).find("put the change into a new version"), std::string::npos) << e.what();
    }
    close(*source);
}

TEST_F(RunnerOnFile, plan_changes_nothing_and_verify_wants_everything_applied) {
    const auto source = open("shop");
    Runner runner({two_tables()}, core::Logger());

    const Report planned = runtime::run_task(shard, runner.plan(*source));

    EXPECT_EQ(planned.steps.at(0).state, StepState::pending);
    EXPECT_EQ(count(*source, "sqlite_schema"), 0);
    EXPECT_THROW(runtime::run_task(shard, runner.verify(*source)), db::Error);
    runtime::run_task(shard, runner.run(*source));
    EXPECT_NO_THROW(runtime::run_task(shard, runner.verify(*source)));
    close(*source);
}

db::Task<void> run_once(Runner& runner, db::DataSource& source, int& applied) {
    const Report report = co_await runner.run(source);
    for (const Step& one : report.steps)
        applied += one.state == StepState::applied_now;
}

/// A table of the same name is in the way.
db::Task<void> spoil(db::DataSource& source) {
    const auto connection = co_await source.acquire(db::AccessIntent::write);
    co_await connection->execute("create table a(other text)");
}

db::Task<void> join(runtime::TaskScope& scope) {
    co_await scope.join();
}

TEST_F(RunnerOnFile, several_programs_that_start_together_apply_each_step_once) {
    std::vector<std::shared_ptr<db::sqlite::Database>> programs;
    for (int i = 0; i < 4; ++i)
        programs.push_back(open("shop"));
    Runner runner({two_tables()}, core::Logger());
    runtime::TaskScope scope(shard, core::Logger());
    int applied = 0;
    for (const auto& program : programs)
        scope.spawn("program", run_once(runner, *program, applied));

    runtime::run_task(shard, join(scope));

    EXPECT_EQ(scope.failed(), 0u);
    EXPECT_EQ(applied, 2);
    EXPECT_EQ(count(*programs.front(), "b"), 1);
    for (const auto& program : programs)
        close(*program);
}

TEST_F(RunnerOnFile, one_broken_database_of_fifty_does_not_stop_the_others) {
    db::DataSourceRegistry registry;
    std::vector<std::shared_ptr<db::sqlite::Database>> sources;
    for (int i = 0; i < 50; ++i) {
        sources.push_back(open("shop_" + std::to_string(100 + i)));
        registry.add(sources.back());
    }
    runtime::run_task(shard, spoil(*sources[17]));
    Runner runner({two_tables()}, core::Logger());

    const std::vector<Report> reports = runtime::run_task(shard, runner.run_all(registry));

    ASSERT_EQ(reports.size(), 50u);
    for (const Report& report : reports)
        EXPECT_EQ(report.error != nullptr, report.source == "shop_117") << report.source;
    for (const auto& source : sources)
        close(*source);
}

}  // namespace
}  // namespace sluice::migrate
