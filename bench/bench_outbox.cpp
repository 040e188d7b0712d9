// What an event costs its order: `enqueue.vs_order_only`, units of work a second that insert an order and publish one
// event against units that insert the order alone, 16 connections on a PostgreSQL of their own whose commits wait for
// the disk. Rounds of both follow one another on the same server. `enqueue.vs_order_only_delivered` is the same while a
// started outbox numbers and delivers the events to a handler that does nothing. `…_second_row` has a row of another
// table in the event's place: what any second insert costs. `mariadb.enqueue_vs_order_only` and
// `mariadb.enqueue_vs_order_only_delivered` are the same on a MariaDB. A server whose driver the build leaves out is
// left out.
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "bench/harness.hpp"
#include "sluice/db/open.hpp"
#include "sluice/migrate/runner.hpp"
#include "sluice/outbox/outbox.hpp"
#include "sluice/runtime/outside.hpp"
#include "sluice/runtime/scope.hpp"
#include "sluice/runtime/shard.hpp"
#include "tests/servers/own_server.hpp"

namespace {

using namespace sluice;

constexpr int kConnections = 16;
constexpr std::size_t kPayloadBytes = 200;

/// What a unit of work does beside its order.
enum class Beside : std::uint8_t { nothing, second_row, event };

db::Task<void> place_one(db::UnitOfWork& unit, std::int64_t id, Beside beside) {
    co_await unit.execute("insert into orders(id, article, quantity) values ($1, $2, 1)", id,
                          fmt::format("article {}", id % 100));
    if (beside == Beside::second_row) {
        co_await unit.execute("insert into second_orders(id, article, quantity) values ($1, $2, 1)", id,
                              fmt::format("article {}", id % 100));
    }
    if (beside != Beside::event) co_return;
    outbox::Outgoing event;
    event.queue = "orders";
    event.key = fmt::format("{}", id % 100);
    event.type = "OrderPlaced";
    event.payload = std::string(kPayloadBytes, 'x');
    outbox::publish(unit, std::move(event));
}

db::Task<void> place_orders(db::DataSource& source, std::atomic<std::int64_t>& next, std::int64_t end, Beside beside) {
    for (;;) {
        const std::int64_t id = next.fetch_add(1);
        if (id >= end) co_return;
        const auto body = [id, beside](db::UnitOfWork& unit) { return place_one(unit, id, beside); };
        db::TransactionOptions options;
        options.retry_serialization = 5;  // as a program does: MariaDB may find a deadlock
        co_await source.transaction(options, body);
    }
}

db::Task<void> execute(db::DataSource& source, std::string sql) {
    const std::unique_ptr<db::Connection> connection = co_await source.acquire(db::AccessIntent::write);
    co_await connection->execute(std::move(sql));
}

db::Task<void> migrate_tables(db::DataSource& source) {
    migrate::Runner runner({outbox::migrations()}, core::Logger());
    static_cast<void>(co_await runner.run(source));
    for (const char* const table : {"orders", "second_orders"}) {
        co_await execute(source, fmt::format("create table {}(id bigint primary key, article varchar(64) not null,"
                                             " quantity bigint not null)",
                                             table));
    }
    co_await execute(source,
                     "insert into sluice_queue(number, name, lanes, ordering) values (1, 'orders', 16, 'causal')");
}

db::Task<outbox::Outcome> pass(const outbox::Message&) {
    co_return outbox::Outcome::ok();
}

class OutboxBench {
public:
    /// On a server of its own, of the `kind` that tools/servers knows.
    OutboxBench(const std::string& kind, std::int64_t units)
        : units_(units), server_(kind, servers::OwnServer::Disk::waited_for) {
        shards_.start();
        db::OpenOptions options;
        options.connections = 2 * kConnections;  // the outbox's own beside the producers'
        source_ = db::open("bench", server_.address(kind + ".app"), {}, metrics_, options);
        wait(migrate_tables(*source_));
    }
    ~OutboxBench() {
        wait(source_->close());
        shards_.stop();
    }
    OutboxBench(const OutboxBench&) = delete;
    OutboxBench& operator=(const OutboxBench&) = delete;

    /// Units a second.
    double round(Beside beside) {
        next_ = end_;
        end_ += units_;
        const auto began = std::chrono::steady_clock::now();
        wait(produce(beside));
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
        return static_cast<double>(units_) / took.count();
    }
    void start_outbox() {
        outbox::Outbox::Builder builder = outbox::Outbox::builder(source_, shards_.at(0), {}, metrics_);
        builder.profile(runtime::Profile::low_latency()).queue("orders", outbox::lanes(16));
        builder.transactional("orders", "all",
                              [](db::UnitOfWork&, const outbox::Message& message) { return pass(message); });
        outbox_ = wait(builder.start());
        drain();
    }
    void drain() {
        if (!wait(outbox_->drained(std::chrono::minutes(2)))) throw std::runtime_error("the outbox does not drain");
    }
    void stop_outbox() { wait(outbox_->stop(std::chrono::seconds(10))); }

private:
    db::Task<void> produce(Beside beside) {
        runtime::TaskScope scope(shards_.at(0), {});
        for (int i = 0; i < kConnections; ++i)
            scope.spawn("producer", place_orders(*source_, next_, end_, beside));
        co_await scope.join();
        if (scope.failed() > 0) throw std::runtime_error("an order could not be placed");
    }
    template <class T>
    T wait(db::Task<T> task) {
        return runtime::block_on(shards_.at(0), std::move(task));
    }

    std::int64_t units_;
    std::atomic<std::int64_t> next_{0};
    std::int64_t end_ = 1;
    servers::OwnServer server_;
    runtime::ShardGroup shards_{1};
    core::Metrics metrics_;
    std::shared_ptr<db::DataSource> source_;
    std::unique_ptr<outbox::Outbox> outbox_;
};

void compare(OutboxBench& bench, const sluice::bench::Figures& figures, const std::string& name, int rounds,
             bool delivered) {
    std::vector<double> ratios;
    std::vector<double> second_ratios;
    std::vector<double> with;
    std::vector<double> without;
    for (int i = 0; i < rounds; ++i) {
        without.push_back(bench.round(Beside::nothing));
        with.push_back(bench.round(Beside::event));
        ratios.push_back(with.back() / without.back());
        if (!delivered) second_ratios.push_back(bench.round(Beside::second_row) / without.back());
        if (delivered) bench.drain();
    }
    const std::size_t n = ratios.size();
    figures.print({name, sluice::bench::median(ratios), "ratio", n, "the order alone"});
    figures.print({name + "_units", sluice::bench::median(with), "1/s", n, ""});
    if (!delivered)
        figures.print({name + "_second_row", sluice::bench::median(second_ratios), "ratio", n, "the order alone"});
    figures.print({name + "_floor", sluice::bench::median(without), "1/s", n, ""});
}

/// A kind of server and what its figures are called.
struct Candidate {
    const char* kind;
    const char* figure;
};

constexpr Candidate kCandidates[] = {
#ifdef SLUICE_POSTGRES
    {"postgres", "enqueue.vs_order_only"},
#endif
#ifdef SLUICE_MARIADB
    {"mariadb", "mariadb.enqueue_vs_order_only"},
#endif
};

void measure_on(const Candidate& candidate, const bench::Options& options, const bench::Figures& figures) {
    const int rounds = options.quick ? 3 : 9;
    OutboxBench all(candidate.kind, options.quick ? 1'000 : 10'000);
    bench::print_state(std::string(candidate.kind) + ", before", "loopback");
    static_cast<void>(all.round(Beside::event));  // connections and prepared statements are made
    compare(all, figures, candidate.figure, rounds, false);
    all.start_outbox();
    compare(all, figures, std::string(candidate.figure) + "_delivered", rounds, true);
    all.stop_outbox();
    bench::print_state(std::string(candidate.kind) + ", after", "loopback");
}

}  // namespace

int main(int count, char** words) {
    const bench::Options options = bench::parse_options(count, words);
    const bench::Figures figures(options);
    for (const Candidate& candidate : kCandidates)
        measure_on(candidate, options, figures);
    return figures.exit_code();
}
