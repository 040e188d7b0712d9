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
#include <sqlite3.h>

#include "sluice/core/log.hpp"
#include "sluice/core/metrics.hpp"
#include "sluice/db/sqlite/database.hpp"
#include "sluice/runtime/outside.hpp"
#include "sluice/runtime/scope.hpp"
#include "sluice/runtime/shard.hpp"

namespace {

using namespace sluice;
using Clock = std::chrono::steady_clock;

constexpr const char* kOrders = "create table orders(id integer primary key, article text, quantity integer)";
constexpr const char* kMessages =
    "create table message(id integer primary key autoincrement, queue integer, key text, payload blob)";
constexpr const char* kInsertOrder = "insert into orders(article, quantity) values ($1, $2)";
constexpr const char* kInsertMessage = "insert into message(queue, key, payload) values ($1, $2, $3)";
constexpr std::size_t kPayload = 200;
constexpr int kClients = 16;
constexpr int kWindow = 1'000;

struct Options {
    bool json = false;
    int rounds = 7;
    std::chrono::milliseconds time{500};
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

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto of = [](timeval time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return of(usage.ru_utime) + of(usage.ru_stime);
}

/// What one kind of work achieved in one round.
struct Measured {
    double per_second = 0;
    double cpu_us = 0;  ///< per unit
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

/// SQLite alone: one connection, prepared statements, one commit per transaction.
class Plain {
public:
    explicit Plain(const std::string& file) {
        check(sqlite3_open_v2(file.c_str(), &db_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                              nullptr));
        for (const char* sql : {"pragma journal_mode = wal", "pragma synchronous = full", kOrders, kMessages}) {
            check(sqlite3_exec(db_, sql, nullptr, nullptr, nullptr));
        }
        begin_ = prepared("begin immediate");
        order_ = prepared("insert into orders(article, quantity) values (?1, ?2)");
        message_ = prepared("insert into message(queue, key, payload) values (?1, ?2, ?3)");
        commit_ = prepared("commit");
    }
    ~Plain() {
        for (sqlite3_stmt* statement : {begin_, order_, message_, commit_})
            sqlite3_finalize(statement);
        sqlite3_close(db_);
    }
    Plain(const Plain&) = delete;
    Plain& operator=(const Plain&) = delete;

    void transaction(int number) {
        step(begin_);
        sqlite3_bind_text(order_, 1, "A-100", -1, SQLITE_STATIC);
        sqlite3_bind_int(order_, 2, number);
        step(order_);
        sqlite3_bind_int(message_, 1, 1);
        sqlite3_bind_text(message_, 2, "A-100", -1, SQLITE_STATIC);
        sqlite3_bind_blob(message_, 3, payload_.data(), static_cast<int>(payload_.size()), SQLITE_STATIC);
        step(message_);
        step(commit_);
    }

private:
    static void check(int code) {
        if (code != SQLITE_OK) std::abort();
    }
    sqlite3_stmt* prepared(const char* sql) {
        sqlite3_stmt* statement = nullptr;
        check(sqlite3_prepare_v2(db_, sql, -1, &statement, nullptr));
        return statement;
    }
    static void step(sqlite3_stmt* statement) {
        if (sqlite3_step(statement) != SQLITE_DONE) std::abort();
        sqlite3_reset(statement);
    }

    sqlite3* db_ = nullptr;
    sqlite3_stmt* begin_ = nullptr;
    sqlite3_stmt* order_ = nullptr;
    sqlite3_stmt* message_ = nullptr;
    sqlite3_stmt* commit_ = nullptr;
    std::vector<char> payload_ = std::vector<char>(kPayload, 'x');
};

Measured measure_plain(WorkFolder& folder, std::chrono::milliseconds time) {
    Plain plain(folder.next_file());
    Measured measured;
    const double cpu = cpu_seconds();
    const auto began = Clock::now();
    while (Clock::now() - began < time)
        plain.transaction(static_cast<int>(++measured.units));
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
    runtime::TaskScope scope(shard, core::Logger::to_stderr(core::LogFormat::text, core::LogLevel::warn));
    for (int i = 0; i < load.clients; ++i) {
        scope.spawn("client", load.shape == Shape::unit ? unit_client(run) : batch_client(run));
    }
    co_await scope.join();
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
    runtime::block_on(shards.at(0), database->close());
    return measured;
}

struct Kind {
    std::string name;
    std::function<Measured()> measure;
    std::vector<Measured> rounds;
};

double median_of(std::vector<double> values) {
    std::ranges::sort(values);
    return values[values.size() / 2];
}

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
        } else {
            return std::nullopt;
        }
    }
    return options;
}

void measure_and_print(const Options& options) {
    WorkFolder folder;
    const auto sluice_kind = [&](std::string name, Load load) {
        return Kind{
            std::move(name), [&folder, &options, load] { return measure_sluice(folder, options.time, load); }, {}};
    };
    Kind fsync{"sqlite.fsync", [&] { return measure_fsync(folder, options.time / 2); }, {}};
    Kind plain{"sqlite.plain", [&] { return measure_plain(folder, options.time); }, {}};
    Kind one = sluice_kind("sqlite.units_1", {Shape::unit, 1});
    Kind group = sluice_kind("sqlite.units_16", {Shape::unit, kClients});
    Kind many = sluice_kind("sqlite.units_1000", {Shape::unit, kWindow});
    Kind batches = sluice_kind("sqlite.batches_16", {Shape::batch, kClients});
    Kind window = sluice_kind("sqlite.window_1000", {Shape::batch, kWindow});
    const std::vector<Kind*> kinds{&fsync, &plain, &one, &group, &many, &batches, &window};
    for (int round = 0; round < options.rounds; ++round) {
        for (Kind* kind : kinds)
            kind->rounds.push_back(kind->measure());
    }
    print_figure(options, "sqlite.group_commit_gain", median_ratio(group, plain), "ratio",
                 "one commit per transaction");
    print_figure(options, "sqlite.async_window_gain", median_ratio(window, group), "ratio", "sqlite.units_16");
    print_figure(options, "sqlite.one_client_gain", median_ratio(one, plain), "ratio", "one commit per transaction");
    for (Kind* kind : kinds) {
        print_figure(options, kind->name + "_rate", median_of(*kind, &Measured::per_second), "1/s", "");
        print_figure(options, kind->name + "_cpu", median_of(*kind, &Measured::cpu_us), "us", "");
    }
}

}  // namespace

int main(int count, char** words) {
    const auto options = parse(count, words);
    if (!options) {
        fmt::print(stderr, "usage: {} [--json] [--quick]\n", words[0]);
        return 2;
    }
    measure_and_print(*options);
    return 0;
}
