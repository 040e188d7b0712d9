// The pool before a real PostgreSQL: order, exhaustion, killed backends, a killed server. SLUICE_TEST_SCALE=full takes
// a minute of kills instead of ten seconds.
#include <algorithm>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "pool_load.hpp"
#include "sluice/core/metrics.hpp"
#include "sluice/db/error.hpp"
#include "sluice/db/postgres/database.hpp"
#include "sluice/runtime/outside.hpp"
#include "sluice/runtime/scope.hpp"
#include "sluice/runtime/wake.hpp"
#include "sluice/testing/scale.hpp"
#include "tests/servers/own_server.hpp"

namespace sluice::pool_tests {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint32_t kWriters = 12;
constexpr std::uint32_t kConnections = 6;  // half of the writers wait

class PoolOnServer : public ::testing::Test {
protected:
    static void SetUpTestSuite() { server_ = std::make_unique<servers::OwnServer>("postgres"); }
    static void TearDownTestSuite() { server_.reset(); }
    void SetUp() override { shards_.start(); }
    void TearDown() override {
        for (const auto& source : sources_)
            wait(source->close());
        shards_.stop();
    }

    /// On the server's database, as the application's role, `max` connections; closed with the case.
    db::DataSource& open(const std::string& name, std::uint32_t max, milliseconds acquire_timeout = seconds(5)) {
        db::postgres::Settings settings;
        settings.name = name;
        settings.dsn = server_->address("postgres.app") + "?application_name=" + name;
        settings.pool.max = max;
        settings.pool.acquire_timeout = acquire_timeout;
        sources_.push_back(db::postgres::Database::open(settings, {}, metrics_));
        return *sources_.back();
    }
    template <class T>
    T wait(Task<T> task) {
        return runtime::block_on(shards_.at(0), std::move(task));
    }
    double gauge(const std::string& name, const std::string& source) {
        return metrics_.gauge("sluice_db_pool_" + name, "", {{"source", source}}).value();
    }
    double counter(const std::string& name, const std::string& source) {
        return metrics_.counter("sluice_db_pool_" + name + "_total", "", {{"source", source}}).value();
    }
    /// Every writer commits one more unit at once, and then nothing is in use.
    void expect_recovered(db::DataSource& source, const std::string& name) {
        Load load(shards_, source, kWriters);
        EXPECT_TRUE(load.until_committed(5 * kWriters));
        const Books books = load.stop();
        EXPECT_EQ(books.count(Told::unknown), 0U);
        EXPECT_TRUE(books.errors.empty()) << books.errors.begin()->first;
        EXPECT_EQ(gauge("in_use", name), 0);
        EXPECT_EQ(gauge("waiting", name), 0);
        EXPECT_LE(gauge("idle", name), kConnections);
    }

    static std::unique_ptr<servers::OwnServer> server_;
    runtime::ShardGroup shards_{2};
    core::Metrics metrics_;
    std::vector<std::shared_ptr<db::DataSource>> sources_;
};

std::unique_ptr<servers::OwnServer> PoolOnServer::server_;

Task<void> read_in_turn(db::DataSource& source, int number, std::vector<int>& order) {
    const auto connection = co_await source.acquire(db::AccessIntent::read);
    order.push_back(number);
    co_await connection->query("select 1");
}

TEST_F(PoolOnServer, ten_thousand_waiters_are_served_in_the_order_of_asking) {
    static constexpr int kWaiters = 10'000;
    db::DataSource& source = open("fair", 4, seconds(300));
    const auto flood = [](db::DataSource& from, runtime::Shard& shard) -> Task<std::vector<int>> {
        std::vector<int> order;
        runtime::TaskScope scope(shard, {});
        for (int i = 0; i < kWaiters; ++i)
            scope.spawn("waiter", read_in_turn(from, i, order));
        co_await scope.join();
        EXPECT_EQ(scope.failed(), 0U);
        co_return order;
    };
    std::vector<int> order = wait(flood(source, shards_.at(0)));
    // The first four did not wait: they opened their connections side by side.
    EXPECT_EQ(std::erase_if(order, [](int number) { return number < 4; }), 4U);
    EXPECT_EQ(order.size(), static_cast<std::size_t>(kWaiters - 4));
    EXPECT_TRUE(std::ranges::is_sorted(order));
    EXPECT_EQ(counter("opened", "fair"), 4);
}

/// How asking for one more connection ends.
Task<std::string> ask(db::DataSource& source) {
    std::string ended = "ok";
    try {
        const auto connection = co_await source.acquire(db::AccessIntent::read);
        co_await connection->query("select 1");
    } catch (const db::Error& error) {
        ended = to_string(error.kind());
    }
    co_return ended;
}

TEST_F(PoolOnServer, a_pool_whose_connections_are_all_lent_tells_so_in_time_and_serves_again) {
    db::DataSource& source = open("small", 2, milliseconds(100));
    const auto exhaust = [](db::DataSource& from) -> Task<std::string> {
        const auto first = co_await from.acquire(db::AccessIntent::write);
        const auto second = co_await from.acquire(db::AccessIntent::write);
        const auto began = SteadyClock::now();
        std::string ended = co_await ask(from);
        EXPECT_GE(SteadyClock::now() - began, milliseconds(100));
        const db::Result others =
            co_await first->query("select count(*) from pg_stat_activity where application_name = 'small'");
        EXPECT_EQ(others.rows.at(0).get<std::int64_t>(0), 2) << "no third connection was opened";
        co_return ended;
    };
    EXPECT_EQ(wait(exhaust(source)), "pool_exhausted");
    EXPECT_EQ(counter("refused", "small"), 1);
    EXPECT_EQ(wait(ask(source)), "ok");
    EXPECT_EQ(counter("opened", "small"), 2);
}

/// Those of the cases before may still be on their way out.
Task<void> until_the_role_is_alone(db::DataSource& admin) {
    const auto connection = co_await admin.acquire(db::AccessIntent::read);
    for (std::int64_t others = 1; others > 0;) {
        const db::Result result =
            co_await connection->query("select count(*) from pg_stat_activity where usename = 'sluice_app'");
        others = result.rows.at(0).get<std::int64_t>(0);
    }
}

Task<void> run_as_admin(db::DataSource& admin, std::string sql) {
    const auto connection = co_await admin.acquire(db::AccessIntent::write);
    co_await connection->execute(std::move(sql));
}

TEST_F(PoolOnServer, a_server_without_a_free_connection_is_an_exhausted_pool_and_the_place_is_free_again) {
    db::postgres::Settings settings;
    settings.name = "admin";
    settings.dsn = server_->address("postgres.admin");
    sources_.push_back(db::postgres::Database::open(settings, {}, metrics_));
    db::DataSource& admin = *sources_.back();
    db::DataSource& source = open("crowd", 8);
    const auto crowd = [](db::DataSource& from) -> Task<std::string> {
        const auto first = co_await from.acquire(db::AccessIntent::write);
        const auto second = co_await from.acquire(db::AccessIntent::write);
        std::string ended = co_await ask(from);
        co_return ended;
    };
    wait(until_the_role_is_alone(admin));
    wait(run_as_admin(admin, "alter role sluice_app connection limit 2"));
    EXPECT_EQ(wait(crowd(source)), "pool_exhausted");
    EXPECT_EQ(gauge("in_use", "crowd"), 0);
    EXPECT_EQ(counter("open_failures", "crowd"), 1);
    wait(run_as_admin(admin, "alter role sluice_app connection limit -1"));
    EXPECT_EQ(wait(crowd(source)), "ok");
}

/// Ends backends of the load on the server; answers how many.
Task<std::int64_t> kill_backends(db::DataSource& killer, std::int64_t most) {
    const auto connection = co_await killer.acquire(db::AccessIntent::write);
    const db::Result killed = co_await connection->query(
        "select count(pg_terminate_backend(pid)) from (select pid from pg_stat_activity where application_name = "
        "'load' "
        "order by random() limit $1) as chosen",
        most);
    co_return killed.rows.at(0).get<std::int64_t>(0);
}

TEST_F(PoolOnServer, backends_killed_each_second_leave_nobody_misinformed_and_the_pool_recovers) {
    const int rounds = testing::scaled(10) >= 100 ? 60 : 10;
    db::DataSource& source = open("load", kConnections);
    db::DataSource& killer = open("killer", 1);
    wait(make_tables(source));
    Load load(shards_, source, kWriters);
    EXPECT_TRUE(load.until_committed(kWriters));
    std::int64_t killed = 0;
    for (int round = 0; round < rounds; ++round) {
        // One of them, and each third time all.
        killed += wait(kill_backends(killer, round % 3 == 2 ? 100 : 1));
        EXPECT_TRUE(load.until_committed(10 * kWriters)) << "after kill " << round;
        std::this_thread::sleep_for(seconds(1));  // lint: allow sleep: the pace of the kills is what is tested
    }
    const Books books = load.stop();
    fmt::print("{} rounds, {} backends killed, {} connections opened, longest time without a commit {} ms\n", rounds,
               killed, counter("opened", "load"), books.longest_silence().count());
    EXPECT_GE(killed, rounds);
    EXPECT_GE(books.errors.size(), 1U) << "no kill was noticed";
    expect_books_hold(books, wait(ids_in(source, "item")), wait(ids_in(source, "twin")));
    wait(make_tables(source));
    expect_recovered(source, "load");
}

struct Outage {
    SteadyClock::time_point gone;
    SteadyClock::time_point back;
};

std::int64_t ms_between(SteadyClock::time_point from, SteadyClock::time_point to) {
    return std::chrono::duration_cast<milliseconds>(to - from).count();
}

TEST_F(PoolOnServer, a_killed_server_that_comes_back_under_load_is_used_again_without_help) {
    const int rounds = testing::scaled(2) >= 20 ? 10 : 2;
    db::DataSource& source = open("load", kConnections);
    wait(make_tables(source));
    Load load(shards_, source, kWriters);
    std::vector<Outage> outages;
    for (int round = 0; round < rounds; ++round) {
        ASSERT_TRUE(load.until_committed(10 * kWriters));
        Outage outage;
        server_->tell("kill");
        outage.gone = SteadyClock::now();
        ASSERT_TRUE(load.until_failed(2 * kWriters));
        server_->tell("revive");
        outage.back = SteadyClock::now();
        outages.push_back(outage);
        ASSERT_TRUE(load.until_committed(10 * kWriters)) << "the server is back and nobody commits";
    }
    const Books books = load.stop();
    for (const Outage& outage : outages) {
        const auto first = books.first_commit_after(outage.gone);
        ASSERT_TRUE(first.has_value());
        fmt::print(
            "server killed under load; it was reported back after {} ms, the first commit was told after {} ms\n",
            ms_between(outage.gone, outage.back), ms_between(outage.gone, *first));
    }
    expect_books_hold(books, wait(ids_in(source, "item")), wait(ids_in(source, "twin")));
    wait(make_tables(source));
    expect_recovered(source, "load");
}

}  // namespace
}  // namespace sluice::pool_tests
