// The pool on real shards with connections that only remember what happened to them.
#include "sluice/db/pool/internal/pool.hpp"

#include <atomic>
#include <mutex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sluice/db/error.hpp"
#include "sluice/db/internal/failures.hpp"
#include "sluice/runtime/outside.hpp"
#include "sluice/runtime/scope.hpp"
#include "sluice/runtime/wake.hpp"

namespace sluice::db::pool {
namespace {

using namespace std::chrono_literals;
using runtime::Task;

struct Ledger {
    std::atomic<int> opened{0};
    std::atomic<int> open{0};
    std::atomic<int> most_open{0};
    std::atomic<int> moves{0};
    std::atomic<bool> refuse{false};
    std::atomic<bool> alive{true};
};

class CountedLink final : public Link {
public:
    explicit CountedLink(Ledger& ledger) : ledger_(ledger), shard_(runtime::Shard::current()) {
        ++ledger_.opened;
        ledger_.most_open = std::max(ledger_.most_open.load(), ++ledger_.open);
    }
    ~CountedLink() override { --ledger_.open; }
    [[nodiscard]] bool usable() const noexcept override { return usable_here_ && here(); }
    Task<bool> check() override { co_return ledger_.alive.load(); }
    void leave_shard() override {
        EXPECT_TRUE(here());
        ++ledger_.moves;
        shard_ = nullptr;
    }
    void enter_shard() override { shard_ = runtime::Shard::current(); }
    [[nodiscard]] bool here() const { return shard_ == runtime::Shard::current(); }
    void break_it() { usable_here_ = false; }

private:
    Ledger& ledger_;
    runtime::Shard* shard_;
    bool usable_here_ = true;
};

Task<std::unique_ptr<Link>> open_counted(Ledger& ledger) {
    if (ledger.refuse.load()) throw db::internal::failure(ErrorKind::connection, "pool", "planned");
    std::unique_ptr<Link> link = std::make_unique<CountedLink>(ledger);
    co_return link;
}

CountedLink& counted(const Lease& lease) {
    return static_cast<CountedLink&>(lease.link());
}

class KeptLines final : public core::LogSink {
public:
    void write(core::LogLevel, std::string_view, std::string_view text) noexcept override {
        const std::lock_guard lock(mutex_);
        lines_ += text;
        lines_ += '\n';
    }
    std::string lines() {
        const std::lock_guard lock(mutex_);
        return lines_;
    }

private:
    std::mutex mutex_;
    std::string lines_;
};

class PoolTest : public ::testing::Test {
protected:
    void SetUp() override { shards_.start(); }
    void TearDown() override {
        if (pool_) wait(pool_->close());
        pool_.reset();
        shards_.stop();
        EXPECT_EQ(ledger_.open.load(), 0) << "connections were left open";
    }
    Pool& make(Settings settings) {
        auto connect = [this](core::SteadyTime) { return open_counted(ledger_); };
        const core::Logger log(lines_, core::LogLevel::info);
        pool_ = std::make_shared<Pool>(settings, "pool", connect, log, metrics_);
        return *pool_;
    }
    static Settings sized(std::uint32_t max) {
        Settings settings;
        settings.max = max;
        return settings;
    }
    template <class T>
    T wait(Task<T> task, std::uint32_t on = 0) {
        return runtime::block_on(shards_.at(on), std::move(task));
    }
    static Task<Lease> borrow(Pool& pool) { return pool.acquire(SteadyTime::max(), std::source_location::current()); }
    static Task<std::string> try_borrow(Pool& pool) {
        std::string ended = "ok";
        try {
            const Lease lease = co_await borrow(pool);
        } catch (const Error& error) {
            ended = to_string(error.kind());
        }
        co_return ended;
    }

    runtime::ShardGroup shards_{2};
    core::Metrics metrics_;
    Ledger ledger_;
    std::shared_ptr<KeptLines> lines_ = std::make_shared<KeptLines>();
    std::shared_ptr<Pool> pool_;
};

TEST_F(PoolTest, a_connection_that_came_back_is_lent_again) {
    Pool& pool = make(sized(4));
    for (int i = 0; i < 10; ++i)
        EXPECT_EQ(wait(try_borrow(pool)), "ok");
    EXPECT_EQ(ledger_.opened.load(), 1);
}

TEST_F(PoolTest, a_broken_connection_is_closed_and_another_opened) {
    Pool& pool = make(sized(1));
    const auto break_one = [](Pool& from) -> Task<void> {
        const Lease lease = co_await borrow(from);
        counted(lease).break_it();
    };
    wait(break_one(pool));
    EXPECT_EQ(ledger_.open.load(), 0);
    EXPECT_EQ(wait(try_borrow(pool)), "ok");
    EXPECT_EQ(ledger_.opened.load(), 2);
}

TEST_F(PoolTest, a_dead_connection_that_rested_for_long_is_replaced) {
    Settings settings = sized(1);
    settings.check_after = 0ms;
    Pool& pool = make(settings);
    EXPECT_EQ(wait(try_borrow(pool)), "ok");
    ledger_.alive = false;
    EXPECT_EQ(wait(try_borrow(pool)), "ok");
    EXPECT_EQ(ledger_.opened.load(), 2);
    EXPECT_EQ(ledger_.open.load(), 1);
}

TEST_F(PoolTest, who_waits_too_long_is_told_that_the_pool_is_exhausted) {
    Settings settings = sized(1);
    settings.acquire_timeout = 20ms;
    Pool& pool = make(settings);
    const auto exhaust = [](Pool& from) -> Task<std::string> {
        const Lease lease = co_await borrow(from);
        std::string ended = co_await try_borrow(from);
        co_return ended;
    };
    EXPECT_EQ(wait(exhaust(pool)), "pool_exhausted");
    EXPECT_EQ(pool.counts().waiting, 0U);
    EXPECT_EQ(wait(try_borrow(pool)), "ok");
}

TEST_F(PoolTest, a_deadline_ends_the_wait_before_the_acquire_timeout) {
    Pool& pool = make(sized(1));
    const auto exhaust = [](Pool& from) -> Task<std::string> {
        const Lease lease = co_await borrow(from);
        std::string ended;
        try {
            const SteadyTime soon = std::chrono::steady_clock::now() + 10ms;
            const Lease second = co_await from.acquire(soon, std::source_location::current());
        } catch (const Error& error) {
            ended = to_string(error.kind());
        }
        co_return ended;
    };
    const SteadyTime began = std::chrono::steady_clock::now();
    EXPECT_EQ(wait(exhaust(pool)), "pool_exhausted");
    EXPECT_LT(std::chrono::steady_clock::now() - began, 4s);
}

TEST_F(PoolTest, a_failed_opening_is_the_borrower_s_error_and_frees_the_place) {
    Pool& pool = make(sized(1));
    ledger_.refuse = true;
    EXPECT_EQ(wait(try_borrow(pool)), "connection");
    EXPECT_EQ(wait(try_borrow(pool)), "connection");
    EXPECT_EQ(pool.counts().in_use, 0U);
    ledger_.refuse = false;
    EXPECT_EQ(wait(try_borrow(pool)), "ok");
}

TEST_F(PoolTest, a_resting_connection_moves_to_the_shard_that_asks) {
    Pool& pool = make(sized(1));
    const auto use = [](Pool& from) -> Task<bool> {
        const Lease lease = co_await borrow(from);
        co_return counted(lease).here();
    };
    EXPECT_TRUE(wait(use(pool), 0));
    EXPECT_TRUE(wait(use(pool), 1));
    EXPECT_TRUE(wait(use(pool), 0));
    EXPECT_EQ(ledger_.opened.load(), 1);
    EXPECT_EQ(ledger_.moves.load(), 2);
}

TEST_F(PoolTest, a_cancelled_waiter_leaves_the_queue_and_the_connection_is_not_lost) {
    Pool& pool = make(sized(1));
    const auto cancel_one = [](Pool& from, runtime::Shard& shard) -> Task<std::size_t> {
        Lease lease = co_await borrow(from);
        runtime::TaskScope scope(shard, {});
        const auto wait_in_vain = [](Pool& pool_of_one) -> Task<void> {
            static_cast<void>(co_await borrow(pool_of_one));
        };
        scope.spawn("waiter", wait_in_vain(from));
        while (from.counts().waiting == 0)
            co_await runtime::sleep_for(1us);
        scope.cancel();
        co_await scope.join();
        co_return from.counts().waiting;
    };
    EXPECT_EQ(wait(cancel_one(pool, shards_.at(0))), 0U);
    EXPECT_EQ(wait(try_borrow(pool)), "ok");
    EXPECT_EQ(ledger_.opened.load(), 1);
}

Task<void> use_in_turn(Pool& pool, int number, std::vector<int>& order) {
    const Lease lease = co_await pool.acquire(SteadyTime::max(), std::source_location::current());
    order.push_back(number);
    co_await runtime::sleep_for(1us);
}

TEST_F(PoolTest, ten_thousand_waiters_are_served_in_the_order_of_asking) {
    static constexpr int kWaiters = 10'000;
    Settings settings = sized(4);
    settings.acquire_timeout = 60s;
    Pool& pool = make(settings);
    const auto flood = [](Pool& from, runtime::Shard& shard) -> Task<std::vector<int>> {
        std::vector<int> order;
        runtime::TaskScope scope(shard, {});
        for (int i = 0; i < kWaiters; ++i)
            scope.spawn("waiter", use_in_turn(from, i, order));
        co_await scope.join();
        EXPECT_EQ(scope.failed(), 0U);
        co_return order;
    };
    const std::vector<int> order = wait(flood(pool, shards_.at(0)));
    ASSERT_EQ(order.size(), static_cast<std::size_t>(kWaiters));
    EXPECT_TRUE(std::ranges::is_sorted(order));
    EXPECT_EQ(ledger_.most_open.load(), 4);
}

Task<void> use_often(Pool& pool, int times) {
    for (int i = 0; i < times; ++i) {
        const Lease lease = co_await pool.acquire(SteadyTime::max(), std::source_location::current());
        EXPECT_TRUE(counted(lease).here());
        if (i % 50 == 49) counted(lease).break_it();
        co_await runtime::sleep_for(1us);
    }
}

TEST_F(PoolTest, shards_that_compete_never_share_a_connection_or_exceed_the_limit) {
    Settings settings = sized(3);
    settings.acquire_timeout = 60s;
    Pool& pool = make(settings);
    std::vector<std::future<void>> users;
    for (std::uint32_t i = 0; i < 12; ++i)
        users.push_back(runtime::start_on(shards_.at(i % 2), use_often(pool, 200)));
    for (std::future<void>& user : users)
        user.get();
    EXPECT_LE(ledger_.most_open.load(), 3);
    EXPECT_EQ(pool.counts().in_use, 0U);
}

TEST_F(PoolTest, closing_refuses_who_waits_and_waits_for_who_has) {
    Pool& pool = make(sized(1));
    const auto close_while_lent = [](Pool& from, runtime::Shard& shard) -> Task<std::string> {
        Lease lease = co_await borrow(from);
        std::string waiter;
        runtime::TaskScope scope(shard, {});
        const auto wait_for_one = [](Pool& closing, std::string& ended) -> Task<void> {
            ended = co_await try_borrow(closing);
        };
        scope.spawn("waiter", wait_for_one(from, waiter));
        while (from.counts().waiting == 0)
            co_await runtime::sleep_for(1us);
        scope.spawn("closer", from.close());
        while (scope.running() > 1)  // until the waiter has ended; the closer waits
            co_await runtime::sleep_for(1us);
        EXPECT_EQ(scope.running(), 1U);
        lease.give_back();
        co_await scope.join();
        co_return waiter;
    };
    EXPECT_EQ(wait(close_while_lent(pool, shards_.at(0))), "connection");
    EXPECT_EQ(ledger_.open.load(), 0);
    EXPECT_EQ(wait(try_borrow(pool)), "connection");
}

/// Waits on the shard until `holds`; fails after ten seconds.
template <class Condition>
Task<void> until(Condition holds) {
    const SteadyTime limit = std::chrono::steady_clock::now() + 10s;
    while (!holds() && std::chrono::steady_clock::now() < limit)
        co_await runtime::sleep_for(1ms);
    EXPECT_TRUE(holds());
}

TEST_F(PoolTest, the_smallest_number_rests_ready_and_the_rest_is_closed_when_idle) {
    Settings settings = sized(4);
    settings.min_idle = 2;
    settings.idle_timeout = 5ms;
    settings.sweep_interval = 1ms;
    Pool& pool = make(settings);
    EXPECT_EQ(wait(try_borrow(pool)), "ok");
    wait(until([&pool] { return pool.counts().idle == 2; }));
    const auto all_at_once = [](Pool& from) -> Task<void> {
        std::vector<Lease> leases;
        for (int i = 0; i < 4; ++i) {
            Lease lease = co_await borrow(from);
            leases.push_back(std::move(lease));
        }
    };
    wait(all_at_once(pool));
    wait(until([&pool] { return pool.counts().idle == 2; }));
}

TEST_F(PoolTest, who_keeps_a_connection_too_long_is_named_once_with_the_place_where_it_was_borrowed) {
    Settings settings = sized(1);
    settings.leak_age = 1ms;
    settings.sweep_interval = 1ms;
    Pool& pool = make(settings);
    const auto keep = [](Pool& from, KeptLines& lines) -> Task<void> {
        const Lease lease = co_await borrow(from);
        co_await until([&lines] { return !lines.lines().empty(); });
        const SteadyTime later = std::chrono::steady_clock::now() + 10ms;
        while (std::chrono::steady_clock::now() < later)
            co_await runtime::sleep_for(1ms);
    };
    wait(keep(pool, *lines_));
    EXPECT_THAT(lines_->lines(),
                ::testing::MatchesRegex("pool: a connection borrowed at .*pool_test.cpp:[0-9]+ has been kept "
                                        "for [0-9]+ s; is it given back\\?\n"));
}

}  // namespace
}  // namespace sluice::db::pool
