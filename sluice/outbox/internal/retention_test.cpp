#include "sluice/outbox/internal/retention.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace sluice::outbox {
namespace {

using namespace std::chrono_literals;

const core::SystemTime kRetentionNow{1'700'000'000s};

TEST(Retention, keeps_what_the_slowest_cursor_has_not_passed) {
    const std::vector<CursorFront> fronts = {{10, 50, 7}, {3, 20, 5}, {0, 9, 6}};

    EXPECT_EQ(passed_by_all(fronts, 100), 4);
}

TEST(Retention, is_not_held_up_by_idle_lanes_whose_last_tick_is_old) {
    const std::vector<CursorFront> fronts = {{10, 10, 2}, {0, 0, 1}, {3, 20, 50}};

    EXPECT_EQ(passed_by_all(fronts, 100), 49);
}

TEST(Retention, never_removes_the_newest_tick) {
    EXPECT_EQ(passed_by_all({}, 100), 99);
    EXPECT_EQ(passed_by_all({}, 0), 0);
    const std::vector<CursorFront> at_the_start = {{0, 5, 1}};
    EXPECT_EQ(passed_by_all(at_the_start, 3), 0);
}

TEST(Retention, removes_a_prefix_that_is_passed_and_old_enough) {
    const std::vector<TickAge> oldest = {
        {4, kRetentionNow - 3h}, {5, kRetentionNow - 2h}, {6, kRetentionNow - 10min}, {7, kRetentionNow - 2h}};

    EXPECT_EQ(removable(oldest, 9, kRetentionNow - 1h), 2U);
    EXPECT_EQ(removable(oldest, 4, kRetentionNow - 1h), 1U);
    EXPECT_EQ(removable(oldest, 9, kRetentionNow), 4U);
    EXPECT_EQ(removable(oldest, 3, kRetentionNow), 0U);
}

}  // namespace
}  // namespace sluice::outbox
