#include "sluice/core/backoff.hpp"

#include <limits>

#include <gtest/gtest.h>

namespace sluice::core {
namespace {

using namespace std::chrono_literals;

TEST(Backoff, grows_by_the_multiplier_up_to_the_maximum) {
    const Backoff backoff{.initial = 100ms, .max = 1s, .multiplier = 2, .jitter = 0};
    EXPECT_EQ(backoff.delay(0, 0.5), 100ms);
    EXPECT_EQ(backoff.delay(1, 0.5), 200ms);
    EXPECT_EQ(backoff.delay(3, 0.5), 800ms);
    EXPECT_EQ(backoff.delay(4, 0.5), 1s);
}

TEST(Backoff, never_overflows) {
    const Backoff backoff{.initial = 100ms, .max = 30s, .multiplier = 10, .jitter = 0};
    EXPECT_EQ(backoff.delay(std::numeric_limits<std::uint32_t>::max(), 0), 30s);
    const Backoff endless{.initial = 1h, .max = std::chrono::nanoseconds::max(), .multiplier = 10, .jitter = 0};
    EXPECT_GT(endless.delay(1'000, 0), 24h * 365);
}

TEST(Backoff, takes_away_at_most_its_jitter) {
    const Backoff backoff{.initial = 100ms, .max = 1s, .multiplier = 2, .jitter = 0.5};
    EXPECT_EQ(backoff.delay(0, 0), 100ms);
    EXPECT_EQ(backoff.delay(0, 0.5), 75ms);
    EXPECT_EQ(backoff.delay(0, 1), 50ms);
}

}  // namespace
}  // namespace sluice::core
