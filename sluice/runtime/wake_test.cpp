#include "sluice/runtime/wake.hpp"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>

#include "sluice/runtime/cancellation.hpp"
#include "sluice/runtime/run_task.hpp"
#include "sluice/testing/scale.hpp"

namespace sluice::runtime {
namespace {

using namespace std::chrono_literals;

TEST(Wake, a_notification_before_the_wait_is_taken_at_once) {
    Shard shard(0, core::real_clock());
    Wake wake(shard);
    wake.notify();
    EXPECT_TRUE(run_task(shard, wake.wait_for(0s)));
}

TEST(Wake, many_notifications_before_the_wait_count_once) {
    Shard shard(0, core::real_clock());
    Wake wake(shard);
    for (int i = 0; i < 100; ++i)
        wake.notify();
    EXPECT_TRUE(run_task(shard, wake.wait_for(0s)));
    EXPECT_FALSE(run_task(shard, wake.wait_for(1ms)));
}

TEST(Wake, a_wait_without_a_notification_runs_out) {
    Shard shard(0, core::real_clock());
    Wake wake(shard);
    const auto began = std::chrono::steady_clock::now();
    EXPECT_FALSE(run_task(shard, wake.wait_for(5ms)));
    EXPECT_GE(std::chrono::steady_clock::now() - began, 5ms);
}

TEST(Wake, the_longest_duration_is_a_wait_without_end) {
    Shard shard(0, core::real_clock());
    Wake wake(shard);
    shard.post([&] { wake.notify(); });
    EXPECT_TRUE(run_task(shard, wake.wait_for(std::chrono::steady_clock::duration::max())));
}

Task<void> count_wakes(Wake& wake, int& woken) {
    for (;;) {
        co_await wake.wait();
        ++woken;
    }
}

TEST(Wake, one_message_at_most_is_on_its_way) {
    Shard shard(0, core::real_clock());
    Wake wake(shard);
    for (int i = 0; i < 1'000; ++i)
        wake.notify();
    EXPECT_EQ(shard.run_ready(), 1u);
}

TEST(Wake, a_cancelled_wait_throws_operation_aborted) {
    Shard shard(0, core::real_clock());
    Wake wake(shard);
    boost::asio::cancellation_signal signal;
    int woken = 0;
    std::exception_ptr error;
    boost::asio::co_spawn(
        shard.executor(), count_wakes(wake, woken),
        boost::asio::bind_cancellation_slot(signal.slot(), [&](const std::exception_ptr& e) { error = e; }));
    shard.run_ready();
    wake.notify();
    shard.run_ready();
    ASSERT_EQ(woken, 1);

    signal.emit(boost::asio::cancellation_type::terminal);
    shard.run_ready();

    EXPECT_TRUE(is_cancellation(error));
}

/// Takes what a producer made, one wake-up at a time, until `target` is reached.
Task<std::uint64_t> consume(Wake& wake, std::atomic<std::uint64_t>& produced, std::uint64_t target) {
    std::uint64_t wakes = 0;
    while (produced.load() < target) {
        const bool woken = co_await wake.wait_for(20s);
        if (!woken) throw std::runtime_error("a wake-up was lost");
        ++wakes;
    }
    co_return wakes;
}

TEST(Wake, no_notification_of_another_thread_is_lost) {
    const auto steps = static_cast<std::uint64_t>(testing::scaled(400'000));
    Shard shard(0, core::real_clock());
    Wake wake(shard);
    std::atomic<std::uint64_t> produced{0};
    std::jthread producer([&] {
        for (std::uint64_t i = 0; i < steps; ++i) {
            produced.fetch_add(1);
            wake.notify();
        }
    });
    const std::uint64_t wakes = run_task(shard, consume(wake, produced, steps));
    EXPECT_GE(wakes, 1u);
    EXPECT_LE(wakes, steps);
}

Task<void> ping_pong(Wake& mine, Wake& yours, int rounds) {
    for (int i = 0; i < rounds; ++i) {
        const bool woken = co_await mine.wait_for(20s);
        if (!woken) throw std::runtime_error("a wake-up was lost");
        yours.notify();
    }
}

// Each side has exactly one notification in flight, so one that is lost stops both for good.
TEST(Wake, two_shards_that_wake_each_other_never_stall) {
    const int rounds = testing::scaled(30'000);
    Shard left(0, core::real_clock());
    Shard right(1, core::real_clock());
    Wake left_wake(left);
    Wake right_wake(right);
    std::jthread thread([&] { run_task(right, ping_pong(right_wake, left_wake, rounds)); });
    left_wake.notify();
    EXPECT_NO_THROW(run_task(left, ping_pong(left_wake, right_wake, rounds)));
    thread.join();
}

TEST(Wake, cheap_steps_on_one_shard_wake_each_time) {
    const int rounds = testing::scaled(1'000'000);
    Shard shard(0, core::real_clock());
    Wake wake(shard);
    auto steps = [](Wake& own, int times) -> Task<int> {
        int woken = 0;
        for (int i = 0; i < times; ++i) {
            own.notify();
            const bool taken = co_await own.wait_for(20s);
            woken += taken ? 1 : 0;
        }
        co_return woken;
    };
    EXPECT_EQ(run_task(shard, steps(wake, rounds)), rounds);
}

}  // namespace
}  // namespace sluice::runtime
