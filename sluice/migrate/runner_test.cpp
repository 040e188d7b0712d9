#include "sluice/migrate/runner.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sluice/db/error.hpp"
#include "sluice/db/sqlite/database.hpp"
#include "sluice/runtime/outside.hpp"
#include "sluice/runtime/run_task.hpp"
#include "sluice/runtime/scope.hpp"
#include "sluice/runtime/wake.hpp"
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
    for (const Report& report : reports) {
        const bool broken = report.source == "shop_117";
        EXPECT_EQ(report.error != nullptr, broken) << report.source;
        ASSERT_EQ(report.steps.size(), 2u) << report.source;
        EXPECT_EQ(report.steps[1].state, broken ? StepState::pending : StepState::applied_now) << report.source;
    }
    for (const auto& source : sources)
        close(*source);
}

/// The config error that running `migrations` ends in.
std::string refusal(RunnerOnFile& on, db::DataSource& source, std::vector<Migration> migrations) {
    try {
        on.run(source, std::move(migrations));
    } catch (const db::Error& e) {
        EXPECT_EQ(e.kind(), db::ErrorKind::config) << e.what();
        return e.what();
    }
    return "accepted";
}

db::Task<void> execute(db::DataSource& source, std::string sql) {
    const auto connection = co_await source.acquire(db::AccessIntent::write);
    co_await connection->execute(std::move(sql));
}

TEST_F(RunnerOnFile, a_gap_in_the_ledger_stops_the_start) {
    const auto source = open("shop");
    run(*source, two_tables());
    runtime::run_task(shard, execute(*source, "delete from sluice_migrations where version = 1"));

    const std::string text = refusal(*this, *source, two_tables());

    EXPECT_NE(text.find("the ledger misses shop 0001 step1 although version 2 was applied"), std::string::npos) << text;
    close(*source);
}

TEST_F(RunnerOnFile, a_database_of_a_newer_program_stops_the_start) {
    const auto source = open("shop");
    run(*source, two_tables());

    const std::string text = refusal(*this, *source, {step(1, {"create table a(x integer)"})});

    EXPECT_NE(text.find("is at version 2, this program knows 1; start the newer program"), std::string::npos) << text;
    close(*source);
}

TEST_F(RunnerOnFile, a_failure_names_the_migration_and_the_statement) {
    const auto source = open("shop");
    try {
        run(*source, {step(1, {"create table a(x)", "insert into nowhere values (1)"})});
        FAIL() << "accepted";
    } catch (const db::Error& e) {
        EXPECT_EQ(e.kind(), db::ErrorKind::query);
        EXPECT_NE(std::string(e.what()).find("migration shop 0001 step1"), std::string::npos) << e.what();
        EXPECT_EQ(e.details().fingerprint, "insert into nowhere values (?)");
    }
    close(*source);
}

TEST_F(RunnerOnFile, a_migration_cannot_end_its_own_transaction) {
    const auto source = open("shop");
    EXPECT_THROW(run(*source, {step(1, {"create table a(x)", "commit", "create table b(x)"})}), db::Error);
    EXPECT_EQ(count(*source, "sqlite_schema where name in ('a', 'b')"), 0);
    close(*source);
}

TEST_F(RunnerOnFile, a_migration_may_take_longer_than_a_unit_may_hold_the_writer) {
    db::sqlite::Settings settings;
    settings.name = "shop";
    settings.path = folder.file("slow.sqlite3");
    settings.hold_limit = std::chrono::milliseconds(100);
    const auto source = db::sqlite::Database::open(settings, core::Logger(), metrics);
    const std::string slow =
        "insert into a with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000000) "
        "select count(*) from n";

    const Report report = run(*source, {step(1, {"create table a(x integer)", slow, slow, slow})});

    EXPECT_GT(report.steps.at(0).duration, settings.hold_limit);
    EXPECT_EQ(count(*source, "a"), 3);
    EXPECT_EQ(count(*source, "sluice_migrations"), 1);
    close(*source);
}

/// Holds the file's write lock until it is told to let go.
db::Task<void> hold_lock(db::DataSource& source, bool& holds, const bool& let_go) {
    const auto transaction = co_await source.begin({});
    std::vector<db::Statement> statements{db::statement("create table held(x)")};
    co_await transaction->run(std::move(statements));
    holds = true;
    while (!let_go)
        co_await runtime::sleep_for(std::chrono::milliseconds(1));
    co_await transaction->rollback();
}

db::Task<void> until_true(const bool& condition) {
    while (!condition)
        co_await runtime::sleep_for(std::chrono::milliseconds(1));
}

TEST_F(RunnerOnFile, the_wait_for_another_process_is_bounded_and_says_so) {
    db::sqlite::Settings settings;
    settings.name = "shop";
    settings.path = folder.file("shop.sqlite3");
    settings.hold_limit = std::chrono::minutes(5);
    const auto other = db::sqlite::Database::open(settings, core::Logger(), metrics);
    settings.busy_timeout = std::chrono::milliseconds(5);
    const auto source = db::sqlite::Database::open(settings, core::Logger(), metrics);
    bool holds = false;
    bool let_go = false;
    runtime::TaskScope scope(shard, core::Logger());
    scope.spawn("holder", hold_lock(*other, holds, let_go));
    runtime::run_task(shard, until_true(holds));
    Runner impatient({two_tables()}, core::Logger(), {.lock_wait = std::chrono::milliseconds(60)});

    try {
        runtime::run_task(shard, impatient.run(*source));
        ADD_FAILURE() << "migrated under another's lock";
    } catch (const db::Error& e) {
        EXPECT_EQ(e.kind(), db::ErrorKind::timeout);
        EXPECT_NE(std::string(e.what()).find("another process holds the database"), std::string::npos) << e.what();
    }
    let_go = true;
    runtime::run_task(shard, join(scope));
    EXPECT_EQ(scope.failed(), 0u);
    EXPECT_NO_THROW(runtime::run_task(shard, impatient.run(*source)));
    close(*source);
    close(*other);
}

TEST_F(RunnerOnFile, threads_that_start_together_apply_each_step_once) {
    constexpr std::uint32_t kThreads = 3;
    std::vector<Migration> steps;
    for (int version = 1; version <= 10; ++version)
        steps.push_back(step(version, {fmt::format("create table t{}(x)", version)}));
    Runner runner({steps}, core::Logger());
    std::vector<std::shared_ptr<db::sqlite::Database>> programs;
    for (std::uint32_t i = 0; i < kThreads; ++i)
        programs.push_back(open("shop"));
    std::vector<Report> reports(kThreads);
    {
        runtime::ShardGroup shards(kThreads);
        shards.start();
        std::vector<std::jthread> threads;
        for (std::uint32_t i = 0; i < kThreads; ++i)
            threads.emplace_back([&, i] { reports[i] = runtime::block_on(shards.at(i), runner.run(*programs[i])); });
    }
    for (std::size_t version = 0; version < steps.size(); ++version) {
        int applied = 0;
        for (const Report& report : reports)
            applied += report.steps.at(version).state == StepState::applied_now ? 1 : 0;
        EXPECT_EQ(applied, 1) << "version " << version + 1;
    }
    for (const auto& program : programs)
        close(*program);
}

/// Ends the process as a power cut would, right after the first migration was reported.
class KillsAtFirstLine final : public core::LogSink {
public:
    void write(core::LogLevel, std::string_view, std::string_view) noexcept override { std::raise(SIGKILL); }
};

TEST_F(RunnerOnFile, a_program_killed_between_two_steps_is_resumed) {
    const auto migrate_and_die = [this] {
        const auto source = open("shop");
        Runner runner({two_tables()}, core::Logger(std::make_shared<KillsAtFirstLine>(), core::LogLevel::info));
        runtime::run_task(shard, runner.run(*source));
    };
    const pid_t child = ::fork();
    if (child == 0) {
        migrate_and_die();
        std::_Exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;

    const auto source = open("shop");
    const Report report = run(*source, two_tables());

    EXPECT_EQ(report.steps.at(0).state, StepState::applied_before);
    EXPECT_EQ(report.steps.at(1).state, StepState::applied_now);
    EXPECT_EQ(count(*source, "b"), 1);
    close(*source);
}

/// What the sources of one test have in common.
struct Gate {
    bool closed = true;
    int waiting = 0;
};

/// Lets nobody read before the gate is open.
class Gated final : public db::DataSource {
public:
    Gated(std::shared_ptr<db::DataSource> target, Gate& gate) : target_(std::move(target)), gate_(gate) {}
    [[nodiscard]] std::string_view name() const noexcept override { return target_->name(); }
    [[nodiscard]] db::Dialect dialect() const noexcept override { return target_->dialect(); }
    db::Task<std::unique_ptr<db::Connection>> acquire(db::AccessIntent intent, std::source_location borrower) override {
        ++gate_.waiting;
        while (gate_.closed)
            co_await runtime::sleep_for(std::chrono::milliseconds(1));
        --gate_.waiting;
        auto connection = co_await target_->acquire(intent, borrower);
        co_return connection;
    }
    db::Task<std::unique_ptr<db::Transaction>> begin(db::TransactionOptions options,
                                                     std::source_location borrower) override {
        return target_->begin(options, borrower);
    }
    db::Task<void> close() override { return target_->close(); }

private:
    std::shared_ptr<db::DataSource> target_;
    Gate& gate_;
};

db::Task<void> migrate_all(Runner& runner, const db::DataSourceRegistry& registry, std::vector<Report>& reports) {
    reports = co_await runner.run_all(registry);
}

db::Task<void> until_waiting(const Gate& gate, int wanted) {
    while (gate.waiting < wanted)
        co_await runtime::sleep_for(std::chrono::milliseconds(1));
}

struct RunAll : RunnerOnFile {
    RunAll() {
        for (int i = 0; i < 12; ++i)
            registry.add(std::make_shared<Gated>(open("shop_" + std::to_string(i)), gate));
        scope.spawn("all", migrate_all(runner, registry, reports));
        runtime::run_task(shard, until_waiting(gate, 3));
    }
    ~RunAll() override {
        for (const auto& source : registry.iter())
            close(*source);
    }

    Gate gate;
    db::DataSourceRegistry registry;
    Runner runner{{two_tables()}, core::Logger(), {.concurrency = 3}};
    std::vector<Report> reports;
    runtime::TaskScope scope{shard, core::Logger()};
};

TEST_F(RunAll, migrates_no_more_databases_at_once_than_it_may) {
    shard.run_ready();
    EXPECT_EQ(gate.waiting, 3);

    gate.closed = false;
    runtime::run_task(shard, join(scope));

    ASSERT_EQ(reports.size(), 12u);
    for (const Report& report : reports)
        EXPECT_EQ(report.steps.at(1).state, StepState::applied_now) << report.source;
}

TEST_F(RunAll, leaves_every_database_as_it_was_when_it_is_cancelled) {
    scope.cancel();
    runtime::run_task(shard, join(scope));

    EXPECT_EQ(scope.failed(), 0u);
    EXPECT_TRUE(reports.empty());
    EXPECT_EQ(gate.waiting, 3);  // nobody went on to another database
    gate.closed = false;
    for (const Report& report : runtime::run_task(shard, runner.run_all(registry)))
        EXPECT_EQ(report.steps.at(0).state, StepState::applied_now) << report.source;
}

TEST(RunnerSettings, that_cannot_be_meant_are_refused_by_name) {
    EXPECT_THROW(Runner({two_tables()}, core::Logger(), {.concurrency = 0}), db::Error);
    EXPECT_THROW(Runner({{step(2, {"select 1"})}}, core::Logger()), db::Error);
}

}  // namespace
}  // namespace sluice::migrate
