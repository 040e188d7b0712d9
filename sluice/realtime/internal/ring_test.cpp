#include "sluice/realtime/internal/ring.hpp"

#include <gtest/gtest.h>

namespace sluice::realtime {
namespace {

using namespace std::chrono_literals;

const core::SteadyTime kStart{};

Frame frame(std::int64_t version, std::size_t bytes = 1) {
    return {core::Version(version), "", std::string(bytes, '1')};
}

TEST(RingTest, covers_the_range_it_holds_and_the_end_itself) {
    Ring ring({100, 1 << 20});
    for (std::int64_t v = 5; v <= 9; ++v)
        ring.push(frame(v), kStart);
    EXPECT_TRUE(ring.covers(core::Version(4), core::Version(9)));
    EXPECT_TRUE(ring.covers(core::Version(9), core::Version(9)));
    EXPECT_FALSE(ring.covers(core::Version(3), core::Version(9)));
    EXPECT_FALSE(ring.covers(core::Version(10), core::Version(9)));
    EXPECT_FALSE(ring.covers(core::Version(6), core::Version(12)));
    ASSERT_EQ(ring.after(core::Version(7)).size(), 2u);
    EXPECT_EQ(ring.after(core::Version(7)).front().version, core::Version(8));
    EXPECT_TRUE(ring.after(core::Version(9)).empty());
}

TEST(RingTest, an_empty_ring_covers_only_where_the_channel_stands) {
    const Ring ring({100, 1 << 20});
    EXPECT_TRUE(ring.covers(core::Version(3), core::Version(3)));
    EXPECT_FALSE(ring.covers(core::Version(2), core::Version(3)));
}

TEST(RingTest, old_frames_go_when_there_are_too_many_or_they_are_too_large) {
    Ring ring({10, 1 << 20});
    for (std::int64_t v = 1; v <= 1000; ++v)
        ring.push(frame(v), kStart);
    EXPECT_TRUE(ring.covers(core::Version(990), core::Version(1000)));
    EXPECT_FALSE(ring.covers(core::Version(989), core::Version(1000)));
    Ring small({1000, 4096});
    for (std::int64_t v = 1; v <= 100; ++v)
        small.push(frame(v, 500), kStart);
    EXPECT_LE(small.bytes(), 4096u);
    small.push(frame(101, 100'000), kStart);
    EXPECT_TRUE(small.covers(core::Version(100), core::Version(101)));
}

TEST(RingTest, frames_expire_by_age) {
    Ring ring({100, 1 << 20});
    ring.push(frame(1), kStart);
    ring.push(frame(2), kStart + 10s);
    ring.expire(kStart + 5s);
    EXPECT_FALSE(ring.covers(core::Version(0), core::Version(2)));
    EXPECT_TRUE(ring.covers(core::Version(1), core::Version(2)));
    ring.expire(kStart + 60s);
    EXPECT_TRUE(ring.empty());
    EXPECT_EQ(ring.bytes(), 0u);
}

}  // namespace
}  // namespace sluice::realtime
