#include "child.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>

#include <fmt/format.h>

#include "sluice/migrate/runner.hpp"
#include "world.hpp"

namespace sluice::contract {
namespace {

constexpr int kSteps = 12;

/// Ends the process as a power cut would.
class KillsAtLine final : public core::LogSink {
public:
    explicit KillsAtLine(int line) : left_(line) {}
    void write(core::LogLevel, std::string_view, std::string_view) noexcept override {
        if (--left_ == 0) std::raise(SIGKILL);
    }

private:
    std::atomic<int> left_;
};

int migrate_here(db::DataSource& source, int kill_at, const std::string& steps) {
    runtime::ShardGroup shards(1);
    shards.start();
    migrate::Runner runner({steps_named(steps)},
                           core::Logger(std::make_shared<KillsAtLine>(kill_at), core::LogLevel::debug));
    try {
        const migrate::Report report = runtime::block_on(shards.at(0), runner.run(source));
        const auto applied = std::ranges::count(report.steps, migrate::StepState::applied_now, &migrate::Step::state);
        fmt::print("{}", applied);
    } catch (const db::Error& error) {
        fmt::print("{}", error.what());
    }
    runtime::block_on(shards.at(0), source.close());
    return 0;
}

}  // namespace

std::vector<migrate::Migration> child_steps() {
    std::vector<migrate::Migration> steps;
    for (int version = 1; version <= kSteps; ++version) {
        std::vector<std::string> statements;
        if (version == 1) statements.emplace_back("create table done(version integer)");
        statements.push_back(fmt::format("create table t{}(x integer)", version));
        statements.push_back(fmt::format("insert into done(version) values ({})", version));
        steps.push_back({"contract", version, fmt::format("step{}", version), {}});
        for (const db::Dialect dialect : {db::Dialect::sqlite, db::Dialect::postgres, db::Dialect::mariadb})
            steps.back().statements[dialect] = statements;
    }
    return steps;
}

std::vector<migrate::Migration> steps_named(const std::string& name) {
    if (name == "plain") return child_steps();
    auto steps = two_tables();
    steps.push_back(step_of(3, {"create index concurrently b_x on b(x)"}));
    if (name == "index") return steps;
    migrate::Migration counted =
        step_of(1, {"create table tally(n integer)", "insert into tally values (1)",
                    "create index concurrently tally_n on tally(n)", "insert into tally values (2)",
                    "drop index concurrently tally_n", "create index concurrently tally_n on tally(n)",
                    "insert into tally values (3)"});
    // Without names for what is added, so that nothing but the record keeps a statement from running twice.
    counted.statements[db::Dialect::mariadb] = {"create table tally(n integer)",       "insert into tally values (1)",
                                                "alter table tally add index (n)",     "insert into tally values (2)",
                                                "alter table tally add check (n > 0)", "update tally set n = n + 1",
                                                "insert into tally values (3)"};
    return {counted};
}

MigrateChild::MigrateChild(const Driver& driver, const std::string& location, int kill_at, const std::string& steps) {
    std::array<int, 2> ends{};
    EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
    from_child_ = ends[0];
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::string program = "/proc/self/exe";
    std::string mode = "--migrate-child";
    std::string name = driver.name();
    std::string place = location;
    std::string kill = std::to_string(kill_at);
    std::string which = steps;
    std::array<char*, 7> words{program.data(), mode.data(),  name.data(), place.data(),
                               kill.data(),    which.data(), nullptr};
    EXPECT_EQ(posix_spawn(&pid_, program.c_str(), &actions, nullptr, words.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
}

MigrateChild::~MigrateChild() {
    if (pid_ != 0) output();
    ::close(from_child_);
}

std::string MigrateChild::output() {
    std::string text;
    std::array<char, 4096> buffer{};
    for (ssize_t size = 0; (size = ::read(from_child_, buffer.data(), buffer.size())) > 0;)
        text.append(buffer.data(), static_cast<std::size_t>(size));
    int status = 0;
    waitpid(std::exchange(pid_, 0), &status, 0);
    killed_ = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    return text;
}

int run_migrate_child(const std::string& driver_name, const std::string& location, int kill_at,
                      const std::string& steps) {
    core::Metrics metrics;
    for (const Driver* driver : drivers()) {
        if (driver->name() == driver_name) return migrate_here(*driver->open(location, metrics), kill_at, steps);
    }
    return 1;
}

}  // namespace sluice::contract
