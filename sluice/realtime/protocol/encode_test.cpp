#include "sluice/realtime/protocol/encode.hpp"

#include <gtest/gtest.h>

#include "sluice/core/json/node.hpp"

namespace sluice::realtime::protocol {
namespace {

using namespace std::chrono_literals;

template <class Append>
std::string text_of(Append append) {
    std::string out;
    append(out);
    return out;
}

TEST(EncodeTest, messages_read_as_the_page_says) {
    const PositionView at{"3", core::Version(41)};
    EXPECT_EQ(text_of([](auto& out) { append_welcome(out, {ConnectionId(4294967298), 25s, 256, 16, 65536}); }),
              R"({"type":"welcome","connection":"4294967298","ping_interval_ms":25000,)"
              R"("limits":{"subscriptions":256,"commands_in_flight":16,"message_bytes":65536}})");
    EXPECT_EQ(text_of([&](auto& out) { append_subscribed_head(out, "1", "a/b", at, "state"); }),
              R"({"type":"subscribed","id":1,"channel":"a/b","epoch":"3","version":41,"policy":"evict","state":)");
    EXPECT_EQ(text_of([&](auto& out) { append_subscribed_head(out, "", "a/b", std::nullopt, ""); }),
              R"({"type":"subscribed","channel":"a/b","policy":"evict"})");
    EXPECT_EQ(text_of([](auto& out) { append_unsubscribed(out, R"("x")", "a/b"); }),
              R"({"type":"unsubscribed","id":"x","channel":"a/b"})");
    EXPECT_EQ(text_of([](auto& out) { append_ok(out, "7"); }), R"({"type":"ok","id":7})");
    EXPECT_EQ(text_of([](auto& out) { append_delta(out, "a/b", "3", {core::Version(42), "moved", R"({"x":1})"}); }),
              R"({"type":"delta","channel":"a/b","epoch":"3","version":42,"event":"moved","data":{"x":1}})");
    EXPECT_EQ(text_of([](auto& out) { append_delta(out, "a/b", "3", {core::Version(42), "", "1"}); }),
              R"({"type":"delta","channel":"a/b","epoch":"3","version":42,"data":1})");
    EXPECT_EQ(text_of([&](auto& out) { append_event(out, {"a/b", at, "said", R"("hi")", true}); }),
              R"({"type":"event","channel":"a/b","epoch":"3","version":41,"event":"said","data":"hi","client":true})");
    EXPECT_EQ(text_of([&](auto& out) { append_reset_head(out, "a/b", at, false); }),
              R"({"type":"reset","channel":"a/b","epoch":"3","version":41})");
    EXPECT_EQ(text_of([&](auto& out) { append_position(out, "a/b", at); }),
              R"({"type":"position","channel":"a/b","epoch":"3","version":41})");
    EXPECT_EQ(text_of([](auto& out) { append_ping(out); }), R"({"type":"ping"})");
    EXPECT_EQ(text_of([](auto& out) { append_error(out, "", ErrorCode::overloaded, "later", true); }),
              R"({"type":"error","code":"overloaded","message":"later","retry":true})");
    EXPECT_EQ(text_of([](auto& out) { append_bye(out, ws::CloseCode::draining, "going", 1500ms); }),
              R"({"type":"bye","code":4101,"reason":"going","reconnect_after_ms":1500})");
    EXPECT_EQ(text_of([](auto& out) { append_gateway_event(out, "say", "{}"); }), R"({"event":"say","data":{}})");
    EXPECT_EQ(text_of([](auto& out) { append_gateway_error(out, ErrorCode::rate, "slow down"); }),
              R"({"event":"error","data":{"code":"rate","message":"slow down"}})");
}

TEST(EncodeTest, frames_are_an_array) {
    const std::vector<Frame> frames{{core::Version(1), "", "1"}, {core::Version(2), "e", "2", true}};
    EXPECT_EQ(text_of([&](auto& out) { append_frames_array(out, frames); }),
              R"([{"version":1,"data":1},{"version":2,"event":"e","data":2,"client":true}])");
    EXPECT_EQ(text_of([](auto& out) { append_frames_array(out, {}); }), "[]");
}

TEST(EncodeTest, what_a_client_sent_cannot_break_out_of_a_message) {
    const std::string text =
        text_of([](auto& out) { append_error(out, "1", ErrorCode::bad_request, "no \"event\"\n\xff", false); });
    EXPECT_TRUE(core::json::parse(text)) << text;
}

}  // namespace
}  // namespace sluice::realtime::protocol
