// The pool before a real server of each kind: order, exhaustion, killed connections, a killed server.
// SLUICE_TEST_SCALE=full takes a minute of kills instead of ten seconds.
#include <algorithm>
#include <map>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "pool_load.hpp"
#include "sluice/core/metrics.hpp"
#include "sluice/db/error.hpp"
#ifdef SLUICE_MARIADB
#include "sluice/db/mariadb/database.hpp"
#endif
#ifdef SLUICE_POSTGRES
#include "sluice/db/postgres/database.hpp"
#endif
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

/// What the cases need of a kind of server.
struct ServerKind {
    std::string name;  // tools/servers knows it by
    std::shared_ptr<db::DataSource> (*open)(const std::string& name, const std::string& address,
                                            const db::pool::Settings& pool, core::Metrics& metrics);
    std::string connections;  // counts those of the application's role
    std::string victims;      // the numbers of $1 of them, chosen by chance
    std::string kill;         // {}: a victim
    std::string few;          // the role may have two connections
    std::string many;         // any number again
};

template <class Database, class Settings>
std::shared_ptr<db::DataSource> open_by(const std::string& name, const std::string& address,
                                        const db::pool::Settings& pool, core::Metrics& metrics) {
    Settings settings;
    settings.name = name;
    settings.dsn = address;
    settings.pool = pool;
    return Database::open(settings, {}, metrics);
}

std::vector<ServerKind> kinds() {
    return {
#ifdef SLUICE_POSTGRES
        {.name = "postgres",
         .open = open_by<db::postgres::Database, db::postgres::Settings>,
         .connections = "select count(*) from pg_stat_activity where usename = 'sluice_app'",
         .victims = "select pid from pg_stat_activity where usename = 'sluice_app' order by random() limit $1",
         .kill = "select pg_terminate_backend({})",
         .few = "alter role sluice_app connection limit 2",
         .many = "alter role sluice_app connection limit -1"},
#endif
#ifdef SLUICE_MARIADB
        {.name = "mariadb",
         .open = open_by<db::mariadb::Database, db::mariadb::Settings>,
         .connections = "select count(*) from information_schema.processlist where user = 'sluice_app'",
         .victims = "select id from information_schema.processlist where user = 'sluice_app' order by rand() limit $1",
         .kill = "kill connection {}",
         .few = "alter user sluice_app@'127.0.0.1' with max_user_connections 2",
         .many = "alter user sluice_app@'127.0.0.1' with max_user_connections 0"},
#endif
    };
}

class PoolOnServer : public ::testing::TestWithParam<ServerKind> {
protected:
    static void TearDownTestSuite() { servers_.clear(); }
    void SetUp() override { shards_.start(); }
    void TearDown() override {
        for (const auto& source : sources_)
            wait(source->close());
        shards_.stop();
    }

    servers::OwnServer& server() {
        auto& server = servers_[GetParam().name];
        if (!server) server = std::make_unique<servers::OwnServer>(GetParam().name);
        return *server;
    }
    /// On the server's database, as the application's role, `max` connections; closed with the case.
    db::DataSource& open(const std::string& name, std::uint32_t max, milliseconds acquire_timeout = seconds(5)) {
        return open_as("app", name, max, acquire_timeout);
    }
    db::DataSource& admin() { return open_as("admin", "admin", 1, seconds(5)); }
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

    runtime::ShardGroup shards_{2};
    core::Metrics metrics_;

private:
    db::DataSource& open_as(const std::string& role, const std::string& name, std::uint32_t max,
                            milliseconds acquire_timeout) {
        db::pool::Settings pool;
        pool.max = max;
        pool.acquire_timeout = acquire_timeout;
        sources_.push_back(GetParam().open(name, server().address(GetParam().name + "." + role), pool, metrics_));
        return *sources_.back();
    }

    static std::map<std::string, std::unique_ptr<servers::OwnServer>> servers_;
    std::vector<std::shared_ptr<db::DataSource>> sources_;
};

std::map<std::string, std::unique_ptr<servers::OwnServer>> PoolOnServer::servers_;

Task<std::int64_t> number_of(db::DataSource& source, std::string sql) {
    const auto connection = co_await source.acquire(db::AccessIntent::read);
    const db::Result result = co_await connection->query(std::move(sql));
    co_return result.rows.at(0).get<std::int64_t>(0);
}

/// Those of the cases before may still be on their way out.
Task<void> until_the_role_is_alone(db::DataSource& admin, const ServerKind& kind) {
    for (;;) {
        const std::int64_t others = co_await number_of(admin, kind.connections);
        if (others == 0) co_return;
    }
}

Task<void> read_in_turn(db::DataSource& source, int number, std::vector<int>& order) {
    const auto connection = co_await source.acquire(db::AccessIntent::read);
    order.push_back(number);
    co_await connection->query("select 1");
}

/// All wait before the first is served: connections that are opened side by side come in any order.
Task<std::vector<int>> serve_in_turn(db::DataSource& source, runtime::Shard& shard, int waiters,
                                     const core::Gauge& waiting) {
    std::vector<std::unique_ptr<db::Connection>> all;
    for (std::uint32_t i = 0; i < kConnections; ++i) {
        auto connection = co_await source.acquire(db::AccessIntent::read);
        all.push_back(std::move(connection));
    }
    std::vector<int> order;
    runtime::TaskScope scope(shard, {});
    for (int i = 0; i < waiters; ++i)
        scope.spawn("waiter", read_in_turn(source, i, order));
    while (waiting.value() < waiters)
        co_await runtime::sleep_for(milliseconds(1));  // lint: allow sleep: between two looks at the gauge
    all.clear();
    co_await scope.join();
    EXPECT_EQ(scope.failed(), 0U);
    co_return order;
}

TEST_P(PoolOnServer, ten_thousand_waiters_are_served_in_the_order_of_asking) {
    static constexpr int kWaiters = 10'000;
    db::DataSource& source = open("fair", kConnections, seconds(300));
    const core::Gauge waiting = metrics_.gauge("sluice_db_pool_waiting", "", {{"source", "fair"}});
    const std::vector<int> order = wait(serve_in_turn(source, shards_.at(0), kWaiters, waiting));
    EXPECT_EQ(order.size(), static_cast<std::size_t>(kWaiters));
    EXPECT_TRUE(std::ranges::is_sorted(order));
    EXPECT_EQ(counter("opened", "fair"), kConnections);
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

TEST_P(PoolOnServer, a_pool_whose_connections_are_all_lent_tells_so_in_time_and_serves_again) {
    db::DataSource& source = open("small", 2, seconds(2));
    db::DataSource& observer = admin();
    wait(until_the_role_is_alone(observer, GetParam()));
    const auto exhaust = [](db::DataSource& from, db::DataSource& watch,
                            const std::string& count) -> Task<std::string> {
        const auto first = co_await from.acquire(db::AccessIntent::write);
        const auto second = co_await from.acquire(db::AccessIntent::write);
        const auto began = SteadyClock::now();
        std::string ended = co_await ask(from);
        EXPECT_GE(SteadyClock::now() - began, seconds(2));
        const std::int64_t open = co_await number_of(watch, count);
        EXPECT_EQ(open, 2) << "no third connection was opened";
        co_return ended;
    };
    EXPECT_EQ(wait(exhaust(source, observer, GetParam().connections)), "pool_exhausted");
    EXPECT_EQ(counter("refused", "small"), 1);
    EXPECT_EQ(wait(ask(source)), "ok");
    EXPECT_EQ(counter("opened", "small"), 2);
}

Task<void> run_as_admin(db::DataSource& admin, std::string sql) {
    const auto connection = co_await admin.acquire(db::AccessIntent::write);
    co_await connection->execute(std::move(sql));
}

TEST_P(PoolOnServer, a_server_without_a_free_connection_is_an_exhausted_pool_and_the_place_is_free_again) {
    db::DataSource& superuser = admin();
    db::DataSource& source = open("crowd", 8);
    const auto crowd = [](db::DataSource& from) -> Task<std::string> {
        const auto first = co_await from.acquire(db::AccessIntent::write);
        const auto second = co_await from.acquire(db::AccessIntent::write);
        std::string ended = co_await ask(from);
        co_return ended;
    };
    wait(until_the_role_is_alone(superuser, GetParam()));
    wait(run_as_admin(superuser, GetParam().few));
    EXPECT_EQ(wait(crowd(source)), "pool_exhausted");
    EXPECT_EQ(gauge("in_use", "crowd"), 0);
    EXPECT_EQ(counter("open_failures", "crowd"), 1);
    wait(run_as_admin(superuser, GetParam().many));
    EXPECT_EQ(wait(crowd(source)), "ok");
}

/// Answers how many were still there to be ended.
Task<std::int64_t> kill_connections(db::DataSource& admin, const ServerKind& kind, std::int64_t most) {
    const auto connection = co_await admin.acquire(db::AccessIntent::write);
    const db::Result victims = co_await connection->query(kind.victims, most);
    std::int64_t killed = 0;
    for (const db::Row& victim : victims) {
        ++killed;
        try {
            co_await connection->query(fmt::format(fmt::runtime(kind.kill), victim.get<std::int64_t>(0)));
        } catch (const db::Error&) {
            --killed;  // it has gone since
        }
    }
    co_return killed;
}

TEST_P(PoolOnServer, connections_killed_each_second_leave_nobody_misinformed_and_the_pool_recovers) {
    const int rounds = testing::scaled(10) >= 100 ? 60 : 10;
    db::DataSource& source = open("load", kConnections);
    db::DataSource& killer = admin();
    wait(make_tables(source));
    Load load(shards_, source, kWriters);
    EXPECT_TRUE(load.until_committed(kWriters));
    std::int64_t killed = 0;
    for (int round = 0; round < rounds; ++round) {
        // One of them, and each third time all.
        killed += wait(kill_connections(killer, GetParam(), round % 3 == 2 ? 100 : 1));
        EXPECT_TRUE(load.until_committed(10 * kWriters)) << "after kill " << round;
        std::this_thread::sleep_for(seconds(1));  // lint: allow sleep: the pace of the kills is what is tested
    }
    const Books books = load.stop();
    fmt::print("{} rounds, {} connections killed, {} opened, longest time without a commit {} ms\n", rounds, killed,
               counter("opened", "load"), books.longest_silence().count());
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

TEST_P(PoolOnServer, a_killed_server_that_comes_back_under_load_is_used_again_without_help) {
    const int rounds = testing::scaled(2) >= 20 ? 10 : 2;
    db::DataSource& source = open("load", kConnections);
    wait(make_tables(source));
    Load load(shards_, source, kWriters);
    std::vector<Outage> outages;
    for (int round = 0; round < rounds; ++round) {
        ASSERT_TRUE(load.until_committed(10 * kWriters));
        Outage outage;
        server().tell("kill");
        outage.gone = SteadyClock::now();
        ASSERT_TRUE(load.until_failed(2 * kWriters));
        server().tell("revive");
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

INSTANTIATE_TEST_SUITE_P(On, PoolOnServer, ::testing::ValuesIn(kinds()),
                         [](const auto& kind) { return kind.param.name; });

}  // namespace
}  // namespace sluice::pool_tests
