#include "sluice/outbox/internal/lane_scheduler.hpp"

#include <gtest/gtest.h>

namespace sluice::outbox {
namespace {

using namespace std::chrono_literals;

const core::SteadyTime kSchedulerStart{1h};

TEST(LaneScheduler, takes_lanes_in_the_order_in_which_they_asked) {
    LaneScheduler scheduler;
    EXPECT_EQ(scheduler.add(2), 0U);
    EXPECT_EQ(scheduler.add(2), 2U);
    scheduler.mark(3);
    scheduler.mark(1);
    scheduler.mark(3);

    EXPECT_EQ(scheduler.take(kSchedulerStart), 3U);
    EXPECT_EQ(scheduler.take(kSchedulerStart), 1U);
    EXPECT_EQ(scheduler.take(kSchedulerStart), std::nullopt);
}

TEST(LaneScheduler, never_gives_a_lane_twice_at_once_and_remembers_what_it_missed) {
    LaneScheduler scheduler;
    scheduler.add(1);
    scheduler.mark(0);
    ASSERT_EQ(scheduler.take(kSchedulerStart), 0U);
    scheduler.mark(0);
    EXPECT_EQ(scheduler.take(kSchedulerStart), std::nullopt);

    scheduler.release(0);

    EXPECT_EQ(scheduler.take(kSchedulerStart), 0U);
    scheduler.release(0);
    EXPECT_EQ(scheduler.take(kSchedulerStart), std::nullopt);
}

TEST(LaneScheduler, wakes_a_lane_at_its_time) {
    LaneScheduler scheduler;
    scheduler.add(2);
    scheduler.mark_at(0, kSchedulerStart + 2s);
    scheduler.mark_at(1, kSchedulerStart + 1s);
    scheduler.mark_at(0, kSchedulerStart + 3s);

    EXPECT_EQ(scheduler.next_due(), kSchedulerStart + 1s);
    EXPECT_EQ(scheduler.take(kSchedulerStart), std::nullopt);
    EXPECT_EQ(scheduler.take(kSchedulerStart + 2s), 1U);
    EXPECT_EQ(scheduler.take(kSchedulerStart + 2s), std::nullopt);
    EXPECT_EQ(scheduler.take(kSchedulerStart + 3s), 0U);
    EXPECT_EQ(scheduler.next_due(), std::nullopt);
}

TEST(LaneScheduler, forgets_the_time_of_a_lane_that_was_looked_at) {
    LaneScheduler scheduler;
    scheduler.add(1);
    scheduler.mark_at(0, kSchedulerStart + 1h);
    scheduler.mark(0);
    ASSERT_EQ(scheduler.take(kSchedulerStart), 0U);

    EXPECT_EQ(scheduler.next_due(), std::nullopt);
}

}  // namespace
}  // namespace sluice::outbox
