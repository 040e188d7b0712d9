#include "sluice/outbox/lane_hash.hpp"

#include <array>
#include <string>

#include <gtest/gtest.h>

namespace sluice::outbox {
namespace {

TEST(LaneHash, is_what_every_ledger_was_numbered_with) {
    EXPECT_EQ(lane_hash(""), 0xefd01f60ba992926U);
    EXPECT_EQ(lane_hash("a"), 0x82a2a958a9bece5bU);
    EXPECT_EQ(lane_hash("order-1"), 0x491b422e3af0d9a5U);
    EXPECT_EQ(lane_hash("order-2"), 0xaaca0c2aeae39babU);
    EXPECT_EQ(lane_hash("article-7"), 0x4657f2483db608f9U);
    EXPECT_EQ(lane_hash("日本"), 0x1230c55089fe4e43U);
    EXPECT_EQ(lane_hash(std::string(512, 'k')), 0x0216276a55673042U);
}

TEST(LaneHash, spreads_similar_keys_over_all_lanes) {
    std::array<int, 16> counts{};
    for (int i = 0; i < 16'000; ++i)
        ++counts.at(lane_of("key-" + std::to_string(i), 0, 16).value());
    for (const int count : counts)
        EXPECT_NEAR(count, 1'000, 150);
}

TEST(LaneHash, sends_messages_without_a_key_round_by_id) {
    EXPECT_EQ(lane_of("", 5, 4), core::LaneId(1));
    EXPECT_EQ(lane_of("", 6, 4), core::LaneId(2));
}

TEST(LaneHash, keeps_a_key_in_its_lane_whatever_the_id) {
    EXPECT_EQ(lane_of("a", 1, 64), lane_of("a", 99, 64));
}

}  // namespace
}  // namespace sluice::outbox
