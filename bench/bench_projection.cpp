// The fold through the database, and the rebuild: `projection.distinct_vs_single`, `projection.folded_vs_distinct`,
// `rebuild.events_per_second`. synchronous = FULL, one shard, batches handed over one after another as the outbox does.
// Every round runs all kinds on fresh files; figures are medians of the rounds' ratios.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "sluice/db/sqlite/database.hpp"
#include "sluice/migrate/runner.hpp"
#include "sluice/projection/migrations.hpp"
#include "sluice/projection/runtime.hpp"
#include "sluice/projection/test_sample_projections.hpp"
#include "sluice/runtime/run_task.hpp"

namespace {

using namespace sluice;
using projection::sample::OrderPlaced;
using projection::sample::StockEvent;
using projection::sample::StockLevel;
using Clock = std::chrono::steady_clock;

struct BenchOptions {
    bool json = false;
    int rounds = 5;
    int batches = 40;
    int rebuild_events = 1'000'000;
    std::string only;  ///< for a profiler: one kind, without ratios
};

/// What one kind of work achieved in one round.
struct Speed {
    double per_second = 0;
    double cpu_us = 0;  ///< per event, all threads
};

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto of = [](timeval time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return of(usage.ru_utime) + of(usage.ru_stime);
}

/// Time and CPU from its making to `speed`.
class Stopwatch {
public:
    [[nodiscard]] Speed speed(double events) const {
        const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
        return {events / seconds, (cpu_seconds() - cpu_) * 1e6 / events};
    }

private:
    Clock::time_point start_ = Clock::now();
    double cpu_ = cpu_seconds();
};

/// A folder beside the program's working directory: a temporary one may live in memory, where nothing is synchronised.
class BenchFolder {
public:
    BenchFolder() {
        std::string pattern = "bench_projection_XXXXXX";
        if (mkdtemp(pattern.data()) == nullptr) std::abort();
        path_ = std::filesystem::absolute(pattern);
    }
    ~BenchFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    BenchFolder(const BenchFolder&) = delete;
    BenchFolder& operator=(const BenchFolder&) = delete;
    std::string next_file() { return (path_ / fmt::format("{}.sqlite3", ++files_)).string(); }

private:
    std::filesystem::path path_;
    int files_ = 0;
};

const outbox::Queue<StockEvent>& bench_queue() {
    static const outbox::Queue<StockEvent> queue("stock", outbox::lanes(1),
                                                 [](const StockEvent& event) { return StockLevel{}.key(event); });
    return queue;
}

/// One file with one projection.
class Bench {
public:
    Bench(const std::string& path, bool with_deltas) {
        db::sqlite::Settings settings;
        settings.name = "bench";
        settings.path = path;
        source_ = db::sqlite::Database::open(settings, core::Logger(), metrics_);
        projections_ = std::make_unique<projection::Projections>(source_, core::Logger(), metrics_);
        projection::Options options;
        if (!with_deltas) options.delta_log = std::nullopt;
        projections_->add<StockLevel>(bench_queue(), options);
        run(prepare());
        handler_ = projections_->subscriptions().front().handler;
    }
    ~Bench() {
        handler_ = nullptr;
        projections_.reset();
        run(source_->close());
    }
    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;

    /// Folds batches of `size` events over `keys` keys.
    Speed fold(int batches, int size, int keys) {
        deliver(next_batch(size, keys));
        std::vector<outbox::Batch> prepared;
        for (int i = 0; i < batches; ++i)
            prepared.push_back(next_batch(size, keys));
        const Stopwatch watch;
        for (const outbox::Batch& batch : prepared)
            deliver(batch);
        return watch.speed(static_cast<double>(batches) * size);
    }

    /// Rebuilds from given events, switch included.
    Speed rebuild(int events, int keys) {
        int next = 0;
        const auto source = [&]() -> std::optional<StockEvent> {
            if (next == events) return std::nullopt;
            return OrderPlaced{"article-" + std::to_string(next++ % keys), 1};
        };
        const Stopwatch watch;
        const projection::RebuildReport report = run(projections_->rebuild_from<StockLevel>(source));
        if (report.keys != static_cast<std::uint64_t>(keys)) std::abort();
        return watch.speed(events);
    }

private:
    template <class T>
    T run(db::Task<T> task) {
        return runtime::run_task(shard_, std::move(task));
    }
    db::Task<void> prepare() {
        std::vector<std::vector<migrate::Migration>> modules;
        modules.push_back(projection::migrations());
        migrate::Runner runner(std::move(modules), core::Logger());
        const migrate::Report report = co_await runner.run(*source_);
        co_await projections_->prepare();
    }
    outbox::Batch next_batch(int size, int keys) {
        outbox::Batch batch;
        batch.queue = "stock";
        batch.after = position_;
        for (int i = 0; i < size; ++i) {
            const StockEvent event = OrderPlaced{"article-" + std::to_string(i % keys), 1};
            outbox::Message message;
            message.queue = "stock";
            message.position = core::Position(++position_);
            message.type = outbox::Codec<StockEvent>::type(event);
            message.payload = outbox::Codec<StockEvent>::encode(event);
            batch.messages.push_back(std::move(message));
        }
        batch.up_to = position_;
        return batch;
    }
    void deliver(const outbox::Batch& batch) {
        auto body = [&](db::UnitOfWork& unit) { return handler_(unit, batch); };
        run(source_->transaction({}, body));
    }

    core::Metrics metrics_;
    runtime::Shard shard_{0, core::real_clock()};
    std::shared_ptr<db::sqlite::Database> source_;
    std::unique_ptr<projection::Projections> projections_;
    outbox::BatchHandler handler_;
    std::int64_t position_ = 0;
};

struct Kind {
    std::string name;
    std::function<Speed()> measure;
    std::vector<Speed> rounds;
};

// lint: allow unnamed-duplicate: every benchmark is a program of its own
double median(std::vector<double> values) {
    std::ranges::sort(values);
    return values[values.size() / 2];
}

double median(const Kind& kind, double Speed::* member) {
    std::vector<double> values;
    for (const Speed& round : kind.rounds)
        values.push_back(round.*member);
    return median(std::move(values));
}

double median_ratio(const Kind& kind, const Kind& against) {
    std::vector<double> ratios;
    for (std::size_t i = 0; i < kind.rounds.size(); ++i)
        ratios.push_back(kind.rounds[i].per_second / against.rounds[i].per_second);
    return median(std::move(ratios));
}

// lint: allow unnamed-duplicate: every benchmark is a program of its own
void print(const BenchOptions& options, std::string_view name, double value, std::string_view unit,
           std::string_view against) {
    if (options.json)
        fmt::print(R"({{"name":"{}","value":{:.4g},"unit":"{}","n":{},"against":"{}"}})"
                   "\n",
                   name, value, unit, options.rounds, against);
    else
        fmt::print("{:<44} {:>12.4g} {:<10} n={} {}\n", name, value, unit, options.rounds, against);
}

void run_bench(const BenchOptions& options) {
    BenchFolder folder;
    const int large = std::max(2, options.batches / 5);
    const auto fold = [&folder](std::string name, bool with_deltas, int batches, int size, int keys) {
        const auto measure = [&folder, with_deltas, batches, size, keys] {
            return Bench(folder.next_file(), with_deltas).fold(batches, size, keys);
        };
        return Kind{std::move(name), measure, {}};
    };
    Kind single = fold("projection.single", false, options.batches * 5, 1, 1);
    Kind distinct = fold("projection.distinct", false, options.batches, 100, 100);
    Kind folded = fold("projection.folded", false, large, 5'000, 500);
    Kind logged = fold("projection.logged", true, large, 5'000, 500);
    const auto measure_rebuild = [&] {
        return Bench(folder.next_file(), false).rebuild(options.rebuild_events, options.rebuild_events / 10);
    };
    Kind rebuild{"projection.rebuild", measure_rebuild, {}};
    std::vector<Kind*> kinds = {&single, &distinct, &folded, &logged, &rebuild};
    if (!options.only.empty()) std::erase_if(kinds, [&](const Kind* kind) { return kind->name != options.only; });
    for (int round = 0; round < options.rounds; ++round)
        for (Kind* kind : kinds)
            kind->rounds.push_back(kind->measure());
    if (options.only.empty()) {
        print(options, "projection.distinct_vs_single", median_ratio(distinct, single), "ratio",
              "one event per transaction");
        print(options, "projection.folded_vs_distinct", median_ratio(folded, distinct), "ratio",
              "100 distinct keys per batch");
        print(options, "projection.folded_with_delta_log", median_ratio(logged, distinct), "ratio",
              "100 distinct keys per batch");
        print(options, "rebuild.events_per_second", median(rebuild, &Speed::per_second), "events/s",
              "events in memory, switch included");
    }
    for (const Kind* kind : kinds) {
        print(options, kind->name + "_rate", median(*kind, &Speed::per_second), "events/s", "");
        print(options, kind->name + "_cpu", median(*kind, &Speed::cpu_us), "us", "per event, all threads");
    }
}

}  // namespace

int main(int argc, char** argv) {
    BenchOptions options;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "--json") {
            options.json = true;
        } else if (word == "--quick") {
            options.rounds = 1;
            options.batches = 10;
            options.rebuild_events = 200'000;
        } else if (word == "--only" && i + 1 < argc) {
            options.only = argv[++i];
        } else {
            fmt::print(stderr, "bench_projection: unknown word '{}'; --json, --quick, --only KIND\n", word);
            return 2;
        }
    }
    run_bench(options);
}
