#include "sluice/http/internal/watch.hpp"

#include <optional>

#include <gtest/gtest.h>

#include "sluice/runtime/shard.hpp"

namespace sluice::http::internal {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

class WatchTest : public ::testing::Test {
protected:
    /// Runs until `rang` is set; the suite's time limit ends a watch that never does.
    Clock::time_point wait_until_it_rang() {
        while (!rang)
            shard.context().run_one();
        return *rang;
    }

    runtime::Shard shard{0, core::real_clock()};
    std::optional<Clock::time_point> rang;
};

TEST_F(WatchTest, a_deadline_that_is_moved_back_does_not_ring_early) {
    Watch watch(shard.executor());
    const auto start = Clock::now();
    watch.arm(1ms, [] { ADD_FAILURE() << "the deadline before"; });
    watch.disarm();
    watch.arm(30ms, [&] { rang = Clock::now(); });
    EXPECT_GE(wait_until_it_rang() - start, 30ms);
    EXPECT_TRUE(watch.fired());
}

TEST_F(WatchTest, a_nearer_deadline_does_not_wait_for_the_one_before_it) {
    Watch watch(shard.executor());
    const auto start = Clock::now();
    watch.arm(1h, [] { ADD_FAILURE() << "the deadline before"; });
    watch.arm(1ms, [&] { rang = Clock::now(); });
    EXPECT_LT(wait_until_it_rang() - start, 1h);
}

TEST_F(WatchTest, is_silent_once_disarmed) {
    Watch watch(shard.executor());
    Watch later(shard.executor());
    watch.arm(1ms, [] { ADD_FAILURE() << "it was disarmed"; });
    watch.disarm();
    later.arm(20ms, [&] { rang = Clock::now(); });
    wait_until_it_rang();
    EXPECT_FALSE(watch.fired());
}

TEST_F(WatchTest, can_be_armed_again_after_it_rang) {
    Watch watch(shard.executor());
    watch.arm(1ms, [&] { rang = Clock::now(); });
    wait_until_it_rang();
    rang.reset();
    watch.arm(1ms, [&] { rang = Clock::now(); });
    EXPECT_FALSE(watch.fired());
    wait_until_it_rang();
    EXPECT_TRUE(watch.fired());
}

}  // namespace
}  // namespace sluice::http::internal
