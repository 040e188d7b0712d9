// SQLite's group commit against one commit per transaction: `sqlite.group_commit_gain`, `sqlite.async_window_gain`.
// The work is an order row and a message row per unit, synchronous = FULL. Every round runs all kinds one after another
// on fresh files; figures are medians of the rounds' ratios.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "plain_sqlite.hpp"
#include "slow_disk.hpp"

#include "sluice/core/log.hpp"
#include "sluice/core/metrics.hpp"
#include "sluice/db/sqlite/database.hpp"
#include "sluice/runtime/outside.hpp"
#include "sluice/runtime/scope.hpp"
#include "sluice/runtime/shard.hpp"

namespace {

using namespace sluice;
using bench::kMessages;
using bench::kOrders;
using bench::kPayload;
using Clock = std::chrono::steady_clock;

constexpr const char* kInsertOrder = "insert into orders(article, quantity) values ($1, $2)";
constexpr const char* kInsertMessage = "insert into message(queue, key, payload) values ($1, $2, $3)";
constexpr int kClients = 16;
constexpr int kWindow = 1'000;
/// What a consumer SSD or a networked volume takes; this is added to what the disk at hand needs.
constexpr std::chrono::microseconds kSlowSync{1'000};

struct Options {
    bool json = false;
    int rounds = 7;
    std::chrono::milliseconds time{500};
    std::string only;  ///< for a profiler: one kind, without ratios
};

/// A folder beside the program's working directory: a temporary one may live in memory, where nothing is synchronised.
class WorkFolder {
public:
    WorkFolder() {
        std::string pattern = "bench_sqlite_XXXXXX";
        if (mkdtemp(pattern.data()) == nullptr) std::abort();
        path_ = std::filesystem::absolute(pattern);
    }
    ~WorkFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    WorkFolder(const WorkFolder&) = delete;
    WorkFolder& operator=(const WorkFolder&) = delete;
    std::string next_file() { return (path_ / fmt::format("{}.sqlite3", ++files_)).string(); }

private:
    std::filesystem::path path_;
    int files_ = 0;
};

double seconds(Clock::duration duration) {
    return std::chrono::duration<double>(duration).count();
}

// lint: allow unnamed-duplicate: every benchmark is a program of its own
double cpu_seconds(int of_whom = RUSAGE_SELF) {
    rusage usage{};
    getrusage(of_whom, &usage);
    const auto of = [](timeval time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return of(usage.ru_utime) + of(usage.ru_stime);
}

/// What one kind of work achieved in one round.
struct Measured {
    double per_second = 0;
    double cpu_us = 0;        ///< per unit, all threads
    double shard_cpu_us = 0;  ///< of it, the shard's
    double units = 0;
};

/// fdatasync of one page at the end of a growing file, as a commit does.
Measured measure_fsync(WorkFolder& folder, std::chrono::milliseconds time) {
    const int file = open(folder.next_file().c_str(), O_CREAT | O_RDWR, 0600);
    const std::vector<char> page(4096, 'x');
    const auto began = Clock::now();
    Measured measured;
    while (Clock::now() - began < time) {
        if (write(file, page.data(), page.size()) < 0 || fdatasync(file) != 0) std::abort();
        ++measured.units;
    }
    close(file);
    measured.per_second = measured.units / seconds(Clock::now() - began);
    return measured;
}

/// SQLite alone with `group` units per commit; 0: one, without a savepoint.
Measured measure_plain(WorkFolder& folder, std::chrono::milliseconds time, int group) {
    bench::PlainSqlite plain(folder.next_file());
    Measured measured;
    const double cpu = cpu_seconds();
    const auto began = Clock::now();
    while (Clock::now() - began < time) {
        if (group == 0) {
            plain.commit_one();
        } else {
            plain.commit_group(group);
        }
        measured.units += std::max(1, group);
    }
    measured.per_second = measured.units / seconds(Clock::now() - began);
    measured.cpu_us = (cpu_seconds() - cpu) * 1e6 / measured.units;
    return measured;
}

/// The statements that a unit's COMMIT carries along, as the outbox does with messages.
class Carried final : public db::UnitAttachment {
public:
    void mark() override {}
    void rollback_to_mark() override {}
    void release_mark() override {}
    std::vector<db::Statement> flush(db::UnitOfWork&) override { return std::move(statements); }
    std::vector<db::Statement> statements;
};

enum class Shape {
    unit,   ///< a unit of work that awaits the order's insert; the message travels with its COMMIT
    batch,  ///< both statements in one request, which is a unit of its own
};

struct Load {
    Shape shape = Shape::unit;
    int clients = 1;
};

struct Run {
    db::DataSource& source;
    Clock::time_point end;
    double units = 0;
    double shard_cpu_seconds = 0;
};

db::Task<void> place_order(db::UnitOfWork& unit) {
    auto& carried = unit.attachment<Carried>();
    carried.statements.push_back(db::statement(kInsertMessage, 1, "A-100", db::Bytes(kPayload)));
    co_await unit.execute(kInsertOrder, "A-100", 1);
}

db::Task<void> unit_client(Run& run) {
    while (Clock::now() < run.end) {
        co_await run.source.transaction({}, place_order);
        ++run.units;
    }
}

db::Task<void> batch_client(Run& run) {
    const auto connection = co_await run.source.acquire(db::AccessIntent::write);
    while (Clock::now() < run.end) {
        std::vector<db::Statement> statements;
        statements.push_back(db::statement(kInsertOrder, "A-100", 1));
        statements.push_back(db::statement(kInsertMessage, 1, "A-100", db::Bytes(kPayload)));
        co_await connection->run(std::move(statements));
        ++run.units;
    }
}

db::Task<void> all_clients(Run& run, runtime::Shard& shard, Load load) {
    const double cpu = cpu_seconds(RUSAGE_THREAD);
    runtime::TaskScope scope(shard, core::Logger::to_stderr(core::LogFormat::text, core::LogLevel::warn));
    for (int i = 0; i < load.clients; ++i) {
        scope.spawn("client", load.shape == Shape::unit ? unit_client(run) : batch_client(run));
    }
    co_await scope.join();
    run.shard_cpu_seconds = cpu_seconds(RUSAGE_THREAD) - cpu;
}

db::Task<void> make_tables(db::DataSource& source) {
    const auto connection = co_await source.acquire(db::AccessIntent::write);
    co_await connection->execute(kOrders);
    co_await connection->execute(kMessages);
}

Measured measure_sluice(WorkFolder& folder, std::chrono::milliseconds time, Load load) {
    runtime::ShardGroup shards(1);
    shards.start();
    core::Metrics metrics;
    db::sqlite::Settings settings;
    settings.name = "bench";
    settings.path = folder.next_file();
    settings.group_limit = kWindow;
    const auto database = db::sqlite::Database::open(settings, {}, metrics);
    runtime::block_on(shards.at(0), make_tables(*database));
    Run run{*database, Clock::now() + time};
    const double cpu = cpu_seconds();
    const auto began = Clock::now();
    runtime::block_on(shards.at(0), all_clients(run, shards.at(0), load));
    Measured measured;
    measured.units = run.units;
    measured.per_second = run.units / seconds(Clock::now() - began);
    measured.cpu_us = (cpu_seconds() - cpu) * 1e6 / run.units;
    measured.shard_cpu_us = run.shard_cpu_seconds * 1e6 / run.units;
    runtime::block_on(shards.at(0), database->close());
    return measured;
}

// lint: allow unnamed-duplicate: every benchmark is a program of its own
struct Kind {
    std::string name;
    std::function<Measured()> measure;
    std::vector<Measured> rounds;
};

double median_of(std::vector<double> values) {
    std::ranges::sort(values);
    return values[values.size() / 2];
}

// lint: allow unnamed-duplicate: every benchmark is a program of its own
double median_ratio(const Kind& kind, const Kind& against) {
    std::vector<double> ratios;
    for (std::size_t i = 0; i < kind.rounds.size(); ++i) {
        ratios.push_back(kind.rounds[i].per_second / against.rounds[i].per_second);
    }
    return median_of(ratios);
}

double median_of(const Kind& kind, double Measured::* member) {
    std::vector<double> values;
    for (const Measured& round : kind.rounds)
        values.push_back(round.*member);
    return median_of(values);
}

void print_figure(const Options& options, std::string_view name, double value, std::string_view unit,
                  std::string_view against) {
    if (options.json) {
        fmt::print("{{\"name\":\"{}\",\"value\":{:.6g},\"unit\":\"{}\",\"n\":{},\"against\":\"{}\"}}\n", name, value,
                   unit, options.rounds, against);
    } else {
        fmt::print("{:44} {:>12.5g} {:<10} {}\n", name, value, unit, against);
    }
}

std::optional<Options> parse(int count, char** words) {
    Options options;
    for (int i = 1; i < count; ++i) {
        const std::string_view word = words[i];
        if (word == "--json") {
            options.json = true;
        } else if (word == "--quick") {
            options.rounds = 5;
            options.time = std::chrono::milliseconds(150);
        } else if (word == "--only" && i + 1 < count) {
            options.only = words[++i];
        } else {
            return std::nullopt;
        }
    }
    return options;
}

/// Everything that is measured, in the order of a round.
struct Kinds {
    explicit Kinds(WorkFolder& in, const Options& options) : folder(in), time(options.time) {}

    Kind plain_kind(std::string name, int units, std::chrono::microseconds sync = {}) {
        return with_sync(std::move(name), sync, [this, units] { return measure_plain(folder, time, units); });
    }
    Kind sluice_kind(std::string name, Load load, std::chrono::microseconds sync = {}) {
        return with_sync(std::move(name), sync, [this, load] { return measure_sluice(folder, time, load); });
    }
    std::vector<Kind*> all() {
        return {&fsync, &plain,   &grouped, &ceiling,    &one,        &group,
                &many,  &batches, &window,  &slow_plain, &slow_group, &slow_window};
    }

    WorkFolder& folder;
    std::chrono::milliseconds time;
    Kind fsync{"sqlite.fsync", [this] { return measure_fsync(folder, time / 2); }, {}};
    Kind plain = plain_kind("sqlite.plain", 0);
    Kind grouped = plain_kind("sqlite.plain_grouped_16", kClients);
    Kind ceiling = plain_kind("sqlite.plain_grouped_1000", kWindow);
    Kind one = sluice_kind("sqlite.units_1", {Shape::unit, 1});
    Kind group = sluice_kind("sqlite.units_16", {Shape::unit, kClients});
    Kind many = sluice_kind("sqlite.units_1000", {Shape::unit, kWindow});
    Kind batches = sluice_kind("sqlite.batches_16", {Shape::batch, kClients});
    Kind window = sluice_kind("sqlite.window_1000", {Shape::batch, kWindow});
    Kind slow_plain = plain_kind("sqlite.plain_slow_disk", 0, kSlowSync);
    Kind slow_group = sluice_kind("sqlite.units_16_slow_disk", {Shape::unit, kClients}, kSlowSync);
    Kind slow_window = sluice_kind("sqlite.window_1000_slow_disk", {Shape::batch, kWindow}, kSlowSync);

private:
    static Kind with_sync(std::string name, std::chrono::microseconds sync, std::function<Measured()> measure) {
        const auto slowed = [sync, measure = std::move(measure)] {
            bench::slow_every_sync(sync);
            const Measured measured = measure();
            bench::slow_every_sync({});
            return measured;
        };
        return {std::move(name), slowed, {}};
    }
};

void print_ratios(const Options& options, const Kinds& kinds) {
    const auto ratio = [&](std::string_view name, const Kind& kind, const Kind& against, std::string_view text) {
        print_figure(options, name, median_ratio(kind, against), "ratio", text);
    };
    ratio("sqlite.group_commit_gain", kinds.group, kinds.plain, "one commit per transaction");
    ratio("sqlite.async_window_gain", kinds.window, kinds.group, "sqlite.units_16");
    ratio("sqlite.group_commit_gain_slow_disk", kinds.slow_group, kinds.slow_plain, "the same, 1 ms more per sync");
    ratio("sqlite.async_window_gain_slow_disk", kinds.slow_window, kinds.slow_group, "the same, 1 ms more per sync");
    ratio("sqlite.one_client_gain", kinds.one, kinds.plain, "one commit per transaction");
    ratio("sqlite.group_commit_bound", kinds.grouped, kinds.plain, "SQLite alone, 16 units per commit");
    ratio("sqlite.async_window_bound", kinds.ceiling, kinds.group, "SQLite alone, 1,000 units per commit");
}

void measure_and_print(const Options& options) {
    WorkFolder folder;
    Kinds kinds(folder, options);
    std::vector<Kind*> chosen = kinds.all();
    if (!options.only.empty()) std::erase_if(chosen, [&](const Kind* kind) { return kind->name != options.only; });
    for (int round = 0; round < options.rounds; ++round) {
        for (Kind* kind : chosen)
            kind->rounds.push_back(kind->measure());
    }
    if (options.only.empty()) print_ratios(options, kinds);
    for (Kind* kind : chosen) {
        print_figure(options, kind->name + "_rate", median_of(*kind, &Measured::per_second), "1/s", "");
        print_figure(options, kind->name + "_cpu", median_of(*kind, &Measured::cpu_us), "us", "");
        if (median_of(*kind, &Measured::shard_cpu_us) == 0) continue;
        print_figure(options, kind->name + "_shard_cpu", median_of(*kind, &Measured::shard_cpu_us), "us", "");
    }
}

}  // namespace

int main(int count, char** words) {
    const auto options = parse(count, words);
    if (!options) {
        fmt::print(stderr, "usage: {} [--json] [--quick] [--only KIND]\n", words[0]);
        return 2;
    }
    measure_and_print(*options);
    return 0;
}
