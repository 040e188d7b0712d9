// The fold through the database, and the rebuild: `projection.distinct_vs_single`, `projection.folded_vs_distinct`,
// `rebuild.events_per_second`. synchronous = FULL, one shard, batches handed over one after another as the outbox does.
// Every round runs all kinds on fresh files; figures are medians of the rounds' ratios.
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
};

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

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

    /// Folds batches of `size` events over `keys` keys; events per second.
    double fold(int batches, int size, int keys) {
        deliver(next_batch(size, keys));
        std::vector<outbox::Batch> prepared;
        for (int i = 0; i < batches; ++i)
            prepared.push_back(next_batch(size, keys));
        const auto start = Clock::now();
        for (const outbox::Batch& batch : prepared)
            deliver(batch);
        return static_cast<double>(batches) * size / seconds_since(start);
    }

    /// Rebuilds from given events, switch included; events per second.
    double rebuild(int events, int keys) {
        int next = 0;
        const auto source = [&]() -> std::optional<StockEvent> {
            if (next == events) return std::nullopt;
            return OrderPlaced{"article-" + std::to_string(next++ % keys), 1};
        };
        const auto start = Clock::now();
        const projection::RebuildReport report = run(projections_->rebuild_from<StockLevel>(source));
        if (report.keys != static_cast<std::uint64_t>(keys)) std::abort();
        return events / seconds_since(start);
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

// lint: allow unnamed-duplicate: every benchmark is a program of its own
double median(std::vector<double> values) {
    std::ranges::sort(values);
    return values[values.size() / 2];
}

// lint: allow unnamed-duplicate: every benchmark is a program of its own
void print(const BenchOptions& options, std::string_view name, double value, std::string_view unit, std::size_t n,
           std::string_view against) {
    if (options.json)
        fmt::print(R"({{"name":"{}","value":{:.4g},"unit":"{}","n":{},"against":"{}"}})"
                   "\n",
                   name, value, unit, n, against);
    else
        fmt::print("{:<44} {:>12.4g} {:<10} n={} against {}\n", name, value, unit, n, against);
}

void run_bench(const BenchOptions& options) {
    BenchFolder folder;
    std::vector<double> distinct_vs_single;
    std::vector<double> folded_vs_distinct;
    std::vector<double> logged_vs_distinct;
    std::vector<double> rebuilds;
    for (int round = 0; round < options.rounds; ++round) {
        const double single = Bench(folder.next_file(), false).fold(options.batches * 5, 1, 1);
        const double distinct = Bench(folder.next_file(), false).fold(options.batches, 100, 100);
        const double folded = Bench(folder.next_file(), false).fold(std::max(2, options.batches / 5), 5'000, 500);
        const double logged = Bench(folder.next_file(), true).fold(std::max(2, options.batches / 5), 5'000, 500);
        distinct_vs_single.push_back(distinct / single);
        folded_vs_distinct.push_back(folded / distinct);
        logged_vs_distinct.push_back(logged / distinct);
        rebuilds.push_back(
            Bench(folder.next_file(), false).rebuild(options.rebuild_events, options.rebuild_events / 10));
    }
    const std::size_t n = distinct_vs_single.size();
    print(options, "projection.distinct_vs_single", median(distinct_vs_single), "ratio", n,
          "one event per transaction");
    print(options, "projection.folded_vs_distinct", median(folded_vs_distinct), "ratio", n,
          "100 distinct keys per batch");
    print(options, "projection.folded_with_delta_log", median(logged_vs_distinct), "ratio", n,
          "100 distinct keys per batch");
    print(options, "rebuild.events_per_second", median(rebuilds), "events/s", n, "events in memory, switch included");
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
        } else {
            fmt::print(stderr, "bench_projection: unknown word '{}'; --json, --quick\n", word);
            return 2;
        }
    }
    run_bench(options);
}
