#include "sluice/core/clock.hpp"

#include <gtest/gtest.h>

namespace sluice::core {
namespace {

using namespace std::chrono_literals;

TEST(ManualClock, moves_only_when_told_and_both_times_together) {
    ManualClock clock;
    const SteadyTime steady = clock.steady_now();
    const SystemTime wall = clock.system_now();
    EXPECT_EQ(clock.steady_now(), steady);
    clock.advance(1500ms);
    EXPECT_EQ(clock.steady_now() - steady, 1500ms);
    EXPECT_EQ(clock.system_now() - wall, 1500ms);
}

TEST(ManualClock, a_jump_of_wall_time_leaves_elapsed_time_alone) {
    ManualClock clock;
    const SteadyTime steady = clock.steady_now();
    const SystemTime wall = clock.system_now();
    clock.jump_wall(-1h);
    EXPECT_EQ(clock.steady_now(), steady);
    EXPECT_EQ(wall - clock.system_now(), 1h);
}

TEST(RealClock, elapsed_time_never_runs_backwards) {
    const Clock& clock = real_clock();
    SteadyTime last = clock.steady_now();
    for (int i = 0; i < 1'000; ++i) {
        const SteadyTime now = clock.steady_now();
        ASSERT_GE(now, last);
        last = now;
    }
}

}  // namespace
}  // namespace sluice::core
