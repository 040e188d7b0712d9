#include "sluice/live/internal/frames.hpp"

#include <gtest/gtest.h>

namespace sluice::live::internal {
namespace {

using Kind = realtime::ChannelChange::Kind;

const tenant::TenantId kShop = *tenant::TenantId::parse("shop_a");

projection::DeltaBatch batch_of(projection::KeyChange change) {
    projection::DeltaBatch batch;
    batch.projection = "stock_level";
    batch.event_name = "moved";
    batch.changes.push_back(std::move(change));
    return batch;
}

projection::KeyChange change_of(projection::ChangeKind kind) {
    projection::KeyChange change;
    change.key = "A/1";
    change.kind = kind;
    change.epoch = core::Epoch(17);
    change.first_version = core::Version(4);
    change.version = core::Version(5);
    return change;
}

TEST(live_frames, deltas_become_frames_with_consecutive_versions) {
    auto change = change_of(projection::ChangeKind::deltas);
    change.deltas = {R"({"n":1})", R"({"n":2})"};

    const auto shown = to_channels(kShop, batch_of(change));

    ASSERT_EQ(shown->changes.size(), 1u);
    const auto& one = shown->changes.front();
    EXPECT_EQ(realtime::format_channel(one.address), "projection/stock_level/A%2F1");
    EXPECT_EQ(one.kind, Kind::frames);
    EXPECT_EQ(one.epoch, "17");
    ASSERT_EQ(one.frames.size(), 2u);
    EXPECT_EQ(one.frames[0].version, core::Version(4));
    EXPECT_EQ(one.frames[1].version, core::Version(5));
    EXPECT_EQ(one.frames[1].event, "moved");
    EXPECT_EQ(one.frames[1].data_json, R"({"n":2})");
}

TEST(live_frames, a_removed_key_is_shown_as_the_empty_state) {
    auto change = change_of(projection::ChangeKind::removed);
    change.state = R"({"n":0})";

    const auto shown = to_channels(kShop, batch_of(change));

    EXPECT_EQ(shown->changes.front().kind, Kind::reset);
    EXPECT_EQ(shown->changes.front().version, core::Version(5));
    EXPECT_EQ(*shown->changes.front().state_json, R"({"n":0})");
}

TEST(live_frames, a_new_position_carries_no_state) {
    const auto shown = to_channels(kShop, batch_of(change_of(projection::ChangeKind::position)));

    EXPECT_EQ(shown->changes.front().kind, Kind::position);
    EXPECT_EQ(shown->changes.front().epoch, "17");
    EXPECT_EQ(shown->changes.front().state_json, nullptr);
}

TEST(live_frames, epochs_have_one_spelling) {
    EXPECT_EQ(parse_epoch("17"), core::Epoch(17));
    for (const std::string_view text : {"", "017", "+17", "17 ", "x", "99999999999999999999"})
        EXPECT_EQ(parse_epoch(text), std::nullopt) << text;
    EXPECT_TRUE(realtime::epoch_rises(to_text(core::Epoch(9)), to_text(core::Epoch(10))));
}

TEST(live_frames, a_channel_names_a_projection_and_a_key) {
    const auto good = realtime::parse_channel(kShop, "projection/stock_level/A%2F1");
    const auto short_one = realtime::parse_channel(kShop, "projection/stock_level");

    ASSERT_TRUE(good && short_one);
    EXPECT_EQ(parse_name(*good)->projection, "stock_level");
    EXPECT_EQ(parse_name(*good)->key, "A/1");
    EXPECT_FALSE(parse_name(*short_one));
}

}  // namespace
}  // namespace sluice::live::internal
