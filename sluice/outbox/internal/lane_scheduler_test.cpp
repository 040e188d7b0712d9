#include "sluice/outbox/internal/lane_scheduler.hpp"

#include <gtest/gtest.h>

namespace sluice::outbox {
namespace {

using namespace std::chrono_literals;

const core::SteadyTime kStart{1h};

TEST(LaneScheduler, takes_lanes_in_the_order_in_which_they_asked) {
    LaneScheduler scheduler;
    EXPECT_EQ(scheduler.add(2), 0U);
    EXPECT_EQ(scheduler.add(2), 2U);
    scheduler.mark(3);
    scheduler.mark(1);
    scheduler.mark(3);

    EXPECT_EQ(scheduler.take(kStart), 3U);
    EXPECT_EQ(scheduler.take(kStart), 1U);
    EXPECT_EQ(scheduler.take(kStart), std::nullopt);
}

TEST(LaneScheduler, never_gives_a_lane_twice_at_once_and_remembers_what_it_missed) {
    LaneScheduler scheduler;
    scheduler.add(1);
    scheduler.mark(0);
    ASSERT_EQ(scheduler.take(kStart), 0U);
    scheduler.mark(0);
    EXPECT_EQ(scheduler.take(kStart), std::nullopt);

    scheduler.release(0);

    EXPECT_EQ(scheduler.take(kStart), 0U);
    scheduler.release(0);
    EXPECT_EQ(scheduler.take(kStart), std::nullopt);
}

TEST(LaneScheduler, wakes_a_lane_at_its_time) {
    LaneScheduler scheduler;
    scheduler.add(2);
    scheduler.mark_at(0, kStart + 2s);
    scheduler.mark_at(1, kStart + 1s);
    scheduler.mark_at(0, kStart + 3s);

    EXPECT_EQ(scheduler.next_due(), kStart + 1s);
    EXPECT_EQ(scheduler.take(kStart), std::nullopt);
    EXPECT_EQ(scheduler.take(kStart + 2s), 1U);
    EXPECT_EQ(scheduler.take(kStart + 2s), std::nullopt);
    EXPECT_EQ(scheduler.take(kStart + 3s), 0U);
    EXPECT_EQ(scheduler.next_due(), std::nullopt);
}

TEST(LaneScheduler, forgets_the_time_of_a_lane_that_was_looked_at) {
    LaneScheduler scheduler;
    scheduler.add(1);
    scheduler.mark_at(0, kStart + 1h);
    scheduler.mark(0);
    ASSERT_EQ(scheduler.take(kStart), 0U);

    EXPECT_EQ(scheduler.next_due(), std::nullopt);
}

}  // namespace
}  // namespace sluice::outbox
