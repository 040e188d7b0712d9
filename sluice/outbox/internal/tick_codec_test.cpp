#include "sluice/outbox/internal/tick_codec.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "sluice/core/random.hpp"
#include "sluice/testing/scale.hpp"

namespace sluice::outbox {
namespace {

LaneRun run_of(std::int32_t queue, std::uint16_t lane, std::int64_t first, std::vector<std::int64_t> ids) {
    return {LaneRef{queue, core::LaneId(lane)}, core::Sequence(first), std::move(ids)};
}

TEST(TickCodec, keeps_what_it_is_given) {
    const std::vector<LaneRun> runs = {run_of(1, 0, 1, {100}), run_of(1, 3, 7, {101, 102, 250}),
                                       run_of(1, 4'095, 1, {104}), run_of(9, 0, 1'000'000'007, {103})};

    EXPECT_EQ(decode_runs(encode_runs(runs, 100), 100).value(), runs);
    EXPECT_EQ(decode_runs(encode_runs({}, 5), 5).value(), std::vector<LaneRun>{});
}

TEST(TickCodec, has_a_form_that_no_version_may_change) {
    const std::string bytes = encode_runs({run_of(1, 2, 300, {10, 11, 15})}, 10);

    EXPECT_EQ(bytes, std::string("\x01\x01\x01\x02\xac\x02\x02\x00\x00\x03", 10));
}

TEST(TickCodec, is_small_where_ticks_are_small) {
    EXPECT_LE(encode_runs({run_of(3, 7, 1'000'000, {5'000'000})}, 5'000'000).size(), 10U);
    std::vector<std::int64_t> ids;
    for (std::int64_t i = 0; i < 1'000; ++i)
        ids.push_back(5'000'000 + 3 * i);
    EXPECT_LE(encode_runs({run_of(3, 7, 1'000'000, ids)}, 5'000'000).size(), 1'020U);
}

TEST(TickCodec, keeps_checkpoints) {
    const std::vector<NextSequence> entries = {{LaneRef{1, core::LaneId(0)}, core::Sequence(2)},
                                               {LaneRef{1, core::LaneId(5)}, core::Sequence(1'000'000'000'000)},
                                               {LaneRef{4, core::LaneId(1)}, core::Sequence(3)}};

    EXPECT_EQ(decode_checkpoint(encode_checkpoint(entries)).value(), entries);
}

TEST(TickCodec, says_where_bytes_are_wrong) {
    EXPECT_EQ(decode_runs("", 0).error(), "tick references: an unknown version at byte 0 of 0");
    EXPECT_EQ(decode_runs("\x07", 0).error(), "tick references: an unknown version at byte 0 of 1");
    EXPECT_EQ(decode_runs(std::string("\x01\x00x", 3), 0).error(),
              "tick references: bytes after the last entry at byte 2 of 3");
    EXPECT_EQ(decode_runs("\x01\x05", 0).error(), "tick references: more entries than bytes at byte 2 of 2");
    EXPECT_EQ(decode_checkpoint("\x01\x01").error(), "tick checkpoint: more entries than bytes at byte 2 of 2");
}

std::vector<LaneRun> random_runs(core::Random& random, std::int64_t lowest) {
    std::vector<LaneRun> runs;
    std::int32_t queue = 0;
    std::uint16_t lane = 0;
    const std::uint64_t count = random.below(8);
    for (std::uint64_t i = 0; i < count; ++i) {
        if (i == 0 || lane > 4'000 || random.below(3) == 0) {
            queue += 1 + static_cast<std::int32_t>(random.below(5));
            lane = static_cast<std::uint16_t>(random.below(20));
        } else {
            lane = static_cast<std::uint16_t>(lane + 1 + random.below(30));
        }
        std::vector<std::int64_t> ids;
        std::int64_t id = lowest + static_cast<std::int64_t>(random.below(50));
        const std::uint64_t messages = 1 + random.below(20);
        for (std::uint64_t k = 0; k < messages; ++k) {
            ids.push_back(id);
            id += 1 + static_cast<std::int64_t>(random.below(random.below(10) == 0 ? 1'000'000 : 3));
        }
        runs.push_back(run_of(queue, lane, 1 + static_cast<std::int64_t>(random() >> 8U), std::move(ids)));
    }
    return runs;
}

TEST(TickCodec, keeps_random_ticks_and_survives_their_corruption) {
    const std::uint64_t seed = core::Random(20'260'101)();
    SCOPED_TRACE(seed);
    core::Random random(seed);
    int refused = 0;
    for (int round = 0; round < testing::scaled(20'000); ++round) {
        const auto lowest = static_cast<std::int64_t>(random.below(1'000'000'000));
        const std::vector<LaneRun> runs = random_runs(random, lowest);
        std::string bytes = encode_runs(runs, lowest);
        ASSERT_EQ(decode_runs(bytes, lowest).value(), runs);
        for (int flips = 0; flips < 3; ++flips)
            bytes[random.below(bytes.size())] = static_cast<char>(random());
        if (random.below(2) == 0) bytes.resize(random.below(bytes.size() + 1));
        const auto decoded = decode_runs(bytes, lowest);
        if (!decoded) ++refused;
        if (!decoded) continue;
        for (const LaneRun& run : *decoded) {
            ASSERT_FALSE(run.ids.empty());
            ASSERT_TRUE(std::ranges::is_sorted(run.ids));
            ASSERT_GE(run.ids.front(), lowest);
        }
        static_cast<void>(decode_checkpoint(bytes));
    }
    EXPECT_GT(refused, testing::scaled(5'000));
}

}  // namespace
}  // namespace sluice::outbox
