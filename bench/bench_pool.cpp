// What it costs to borrow a connection that rests and to give it back, through the facade, uncontended:
// `pool.acquire_release`, the CPU of the borrowing thread. Remark: the same when every borrower waits for another.
#include <ctime>
#include <string>
#include <vector>

#include "bench/harness.hpp"
#include "sluice/core/log.hpp"
#include "sluice/core/metrics.hpp"
#include "sluice/db/postgres/database.hpp"
#include "sluice/runtime/outside.hpp"
#include "sluice/runtime/scope.hpp"
#include "sluice/runtime/shard.hpp"
#include "tests/servers/own_server.hpp"

namespace {

using namespace sluice;

constexpr int kWaiters = 100;

/// Of the calling thread; getrusage counts a running one by ticks of milliseconds.
double thread_cpu_us() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

db::Task<void> borrow_often(db::DataSource& source, int times) {
    for (int i = 0; i < times; ++i)
        static_cast<void>(co_await source.acquire(db::AccessIntent::read));
}

/// CPU in µs per borrower, of the shard's thread.
db::Task<double> alone(db::DataSource& source, int times) {
    const double began = thread_cpu_us();
    co_await borrow_often(source, times);
    co_return (thread_cpu_us() - began) / times;
}

db::Task<double> in_turn(db::DataSource& source, runtime::Shard& shard, int times) {
    const double began = thread_cpu_us();
    runtime::TaskScope scope(shard, {});
    for (int i = 0; i < kWaiters; ++i)
        scope.spawn("borrower", borrow_often(source, times / kWaiters));
    co_await scope.join();
    co_return (thread_cpu_us() - began) / times;
}

}  // namespace

int main(int count, char** words) {
    const bench::Options options = bench::parse_options(count, words);
    const int rounds = options.quick ? 5 : 11;
    const int times = options.quick ? 20'000 : 200'000;
    const servers::OwnServer server("postgres");
    runtime::ShardGroup shards(1);
    shards.start();
    core::Metrics metrics;
    db::postgres::Settings settings;
    settings.name = "bench";
    settings.dsn = server.address("postgres.app");
    settings.pool.max = 1;
    const auto source = db::postgres::Database::open(settings, {}, metrics);
    bench::print_state("before", "loopback");
    runtime::block_on(shards.at(0), borrow_often(*source, 1'000));
    std::vector<double> free;
    std::vector<double> waited;
    for (int i = 0; i < rounds; ++i) {
        free.push_back(runtime::block_on(shards.at(0), alone(*source, times)));
        waited.push_back(runtime::block_on(shards.at(0), in_turn(*source, shards.at(0), times / 10)));
    }
    bench::print_state("after", "loopback");
    const bench::Figures figures(options);
    figures.print({"pool.acquire_release", bench::median(free), "us", free.size(), ""});
    figures.print({"pool.acquire_release_waiting", bench::median(waited), "us", waited.size(), "100 borrowers of one"});
    runtime::block_on(shards.at(0), source->close());
    shards.stop();
    return figures.exit_code();
}
