// The hub without sockets: channels with a source, limits, the end.
#include "sluice/realtime/hub.hpp"

#include <map>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sluice/realtime/test_scripted_hub.hpp"

namespace sluice::realtime {
namespace {

TEST_F(HubTest, the_answer_comes_before_the_first_frame_and_nothing_after_unsubscribed) {
    begin();
    const Peer a = join("shop_a", 1);
    source->commit("x", 3);
    say(a, R"({"type":"subscribe","id":1,"channel":"p/x"})");
    publish("x", source->commit("x", 1));
    EXPECT_EQ(
        a.take(),
        (Messages{R"({"type":"subscribed","id":1,"channel":"p/x","epoch":"1","version":3,"policy":"evict","state":{}})",
                  R"({"type":"delta","channel":"p/x","epoch":"1","version":4,"data":4})"}));
    shards->at(1).post(
        [&] { a.wire->send(testing::masked_frame(1, R"({"type":"unsubscribe","id":2,"channel":"p/x"})")); });
    publish("x", source->commit("x", 1));
    EXPECT_EQ(a.take().back(), R"({"type":"unsubscribed","id":2,"channel":"p/x"})");
    publish("x", source->commit("x", 1));
    EXPECT_EQ(a.take(), Messages{});
    EXPECT_EQ(books().queued, 0u);
}

TEST_F(HubTest, a_large_state_travels_in_pieces_that_are_one_frame) {
    begin();
    source->state = "\"" + std::string(200'000, 's') + "\"";
    const Peer a = join("shop_a", 0);
    const Peer b = join("shop_a", 0);
    b.wire->room = 1000;
    say(a, R"({"type":"subscribe","id":1,"channel":"p/x"})");
    say(b, R"({"type":"subscribe","id":2,"channel":"p/x"})");
    publish("x", source->commit("x", 1));
    const Messages got = a.take();
    ASSERT_EQ(got.size(), 2u);
    EXPECT_EQ(got[0],
              R"({"type":"subscribed","id":1,"channel":"p/x","epoch":"1","version":0,"policy":"evict","state":)" +
                  source->state + "}");
    for (int i = 0; i < 500; ++i)
        on_shard(0, [&] { b.wire->allow(1000); });
    const Messages slowly = b.take();
    ASSERT_EQ(slowly.size(), 2u);
    EXPECT_TRUE(slowly[0].ends_with(source->state + "}"));
    EXPECT_EQ(books().queued, 0u);
}

TEST_F(HubTest, subscribing_again_from_a_position_is_how_a_client_mends_a_gap) {
    begin();
    const Peer a = subscribed("p/x");
    publish("x", source->commit("x", 3));
    a.take();
    EXPECT_EQ(
        ask(a, R"({"type":"subscribe","id":2,"channel":"p/x","epoch":"1","version":1})"),
        (Messages{
            R"({"type":"subscribed","id":2,"channel":"p/x","epoch":"1","version":3,"policy":"evict","frames":[{"version":2,"data":2},{"version":3,"data":3}]})"}));
    publish("x", source->commit("x", 1));
    EXPECT_EQ(a.take().size(), 1u);
}

TEST_F(HubTest, hello_resumes_many_channels_at_once) {
    begin();
    const Peer keeper = subscribed("p/x");
    publish("x", source->commit("x", 2));
    const Peer a = join("shop_a", 1);
    const Messages got =
        ask(a, R"({"type":"hello","resume":[{"channel":"p/x","epoch":"1","version":1},{"channel":"p/y"}]})");
    ASSERT_EQ(got.size(), 2u);
    const bool x_first = got[0].find("p/x") != std::string::npos;
    EXPECT_EQ(
        got[x_first ? 0 : 1],
        R"({"type":"subscribed","channel":"p/x","epoch":"1","version":2,"policy":"evict","frames":[{"version":2,"data":2}]})");
}

TEST_F(HubTest, one_read_serves_everyone_who_waits_and_none_is_needed_while_the_ring_lives) {
    begin();
    std::vector<Peer> peers;
    for (std::uint32_t i = 0; i < 50; ++i)
        peers.push_back(join("shop_a", i % 2));
    for (const Peer& peer : peers)
        shards->at(peer.shard).post([&peer] {
            peer.wire->send(testing::masked_frame(1, R"({"type":"subscribe","id":1,"channel":"p/x"})"));
        });
    run();
    EXPECT_LE(source->opens, 2);
    const int opens = source->opens;
    for (const Peer& peer : peers)
        hub->unregister(peer.id);
    publish("x", source->commit("x", 3));
    pass(50s);
    for (std::uint32_t i = 0; i < 50; ++i) {
        const Peer back = join("shop_a", i % 2);
        EXPECT_EQ(ask(back, R"({"type":"subscribe","id":1,"channel":"p/x","epoch":"1","version":0})").size(), 1u);
    }
    EXPECT_EQ(source->opens, opens);
}

TEST_F(HubTest, a_ring_without_members_goes_after_a_minute) {
    begin();
    const Peer a = subscribed("p/x");
    hub->unregister(a.id);
    run();
    pass(62s);
    EXPECT_EQ(metrics.gauge("sluice_ws_channels", "").value(), 0);
    publish("x", source->commit("x", 1));
    const Peer back = join();
    ask(back, R"({"type":"subscribe","id":1,"channel":"p/x","epoch":"1","version":0})");
    EXPECT_EQ(source->opens, 2);
}

TEST_F(HubTest, a_missing_channel_and_a_forbidden_one_get_the_same_answer) {
    begin();
    const Peer a = join();
    const auto answer_for = [&](const char* channel) {
        const Messages got = ask(a, fmt::format(R"({{"type":"subscribe","id":1,"channel":"{}"}})", channel));
        return got.empty() ? std::string() : got[0];
    };
    const std::string forbidden =
        R"({"type":"error","id":1,"code":"forbidden","message":"not allowed for this channel","retry":false})";
    EXPECT_EQ(answer_for("p/missing"), forbidden);
    EXPECT_EQ(answer_for("closed/x"), forbidden);
    EXPECT_EQ(answer_for("undeclared/x"), forbidden);
    EXPECT_EQ(answer_for("room/lobby"), forbidden);
}

TEST_F(HubTest, a_source_that_is_down_is_an_error_to_try_again) {
    begin();
    source->down = true;
    const Peer a = join();
    EXPECT_EQ(
        ask(a, R"({"type":"subscribe","id":1,"channel":"p/x"})"),
        Messages{
            R"({"type":"error","id":1,"code":"overloaded","message":"the channel's state cannot be read now","retry":true})"});
    source->down = false;
    EXPECT_EQ(ask(a, R"({"type":"subscribe","id":2,"channel":"p/x"})").size(), 1u);
}

TEST_F(HubTest, a_channel_with_memory_is_resumed_from_the_ring_or_told_that_it_was_lost) {
    begin();
    const Peer a = subscribed("m/talk");
    say(a, R"({"type":"event","id":2,"channel":"m/talk","event":"typing","data":{"x":1}})");
    const Messages got = a.take();
    ASSERT_EQ(got.size(), 2u);
    EXPECT_EQ(std::set<std::string>(got.begin(), got.end()).count(R"({"type":"ok","id":2})"), 1u);
    hub->broadcast_room({tenant_id("shop_a"), "m", "talk"}, "news", "7");
    run();
    const Messages news = a.take();
    ASSERT_EQ(news.size(), 1u);
    const std::size_t at = news[0].find("\"epoch\":\"") + 9;
    const std::string epoch = news[0].substr(at, news[0].find('"', at) - at);
    const Peer back = join("shop_a", 1);
    const Messages missed =
        ask(back, fmt::format(R"({{"type":"subscribe","id":1,"channel":"m/talk","epoch":"{}","version":0}})", epoch));
    EXPECT_EQ(
        missed,
        Messages{fmt::format(
            R"({{"type":"subscribed","id":1,"channel":"m/talk","epoch":"{}","version":2,"policy":"evict",)"
            R"("frames":[{{"version":1,"event":"typing","data":{{"x":1}},"client":true}},{{"version":2,"event":"news","data":7}}]}})",
            epoch)});
    const Peer lost = join("shop_a", 1);
    EXPECT_EQ(
        ask(lost, R"({"type":"subscribe","id":1,"channel":"m/talk","epoch":"other","version":0})"),
        (Messages{
            fmt::format(
                R"({{"type":"subscribed","id":1,"channel":"m/talk","epoch":"{}","version":2,"policy":"evict","frames":[]}})",
                epoch),
            fmt::format(R"({{"type":"reset","channel":"m/talk","epoch":"{}","version":2}})", epoch)}));
}

TEST_F(HubTest, client_events_obey_their_namespace) {
    begin();
    const Peer a = join();
    const auto code_of = [&](const std::string& channel, const std::string& event, const std::string& data) {
        const Messages got = ask(
            a, fmt::format(R"({{"type":"event","id":1,"channel":"{}","event":"{}","data":{}}})", channel, event, data));
        const std::size_t at = got.at(0).find("\"code\":\"");
        return at == std::string::npos ? got[0] : got[0].substr(at + 8, got[0].find('"', at + 8) - at - 8);
    };
    EXPECT_EQ(code_of("m/x", "typing", "1"), R"({"type":"ok","id":1})");
    EXPECT_EQ(code_of("n/x", "typing", "1"), "forbidden");
    EXPECT_EQ(code_of("p/x", "typing", "1"), "forbidden");
    EXPECT_EQ(code_of("closed/x", "typing", "1"), "forbidden");
    EXPECT_EQ(code_of("m/x", "reset", "1"), "bad_request");
    EXPECT_EQ(code_of("m/x", "typing", "\"" + std::string(200, 'x') + "\""), "too_large");
}

TEST_F(HubTest, a_connection_has_so_many_subscriptions_and_not_one_more) {
    begin({.max_subscriptions = 3});
    const Peer a = join();
    for (int i = 0; i < 3; ++i)
        ask(a, fmt::format(R"({{"type":"subscribe","id":{},"channel":"n/{}"}})", i, i));
    EXPECT_NE(ask(a, R"({"type":"subscribe","id":9,"channel":"n/9"})").at(0).find(R"("code":"limit")"),
              std::string::npos);
    ask(a, R"({"type":"unsubscribe","id":9,"channel":"n/0"})");
    EXPECT_NE(ask(a, R"({"type":"subscribe","id":9,"channel":"n/9"})").at(0).find("subscribed"), std::string::npos);
}

TEST_F(HubTest, reading_stops_while_too_many_commands_wait_and_goes_on_afterwards) {
    begin({.max_commands_in_flight = 4}, 1);
    const Peer a = join();
    a.wire->room = 0;
    std::string burst;
    for (int i = 0; i < 40; ++i)
        burst += testing::masked_frame(1, fmt::format(R"({{"type":"subscribe","id":{},"channel":"n/{}"}})", i, i));
    send(a, burst);
    EXPECT_EQ(books().queued, 4u);
    send(a, testing::masked_frame(1, R"({"type":"unsubscribe","id":"last","channel":"n/0"})"));
    EXPECT_FALSE(a.wire->to_read.empty());
    on_shard(0, [&] { a.wire->allow(SIZE_MAX); });
    const Messages got = a.take();
    ASSERT_EQ(got.size(), 41u);
    for (int i = 0; i < 40; ++i)
        EXPECT_NE(got[static_cast<std::size_t>(i)].find(fmt::format("\"id\":{},", i)), std::string::npos);
    EXPECT_EQ(got.back(), R"({"type":"unsubscribed","id":"last","channel":"n/0"})");
}

TEST_F(HubTest, hostile_input_gets_an_error_or_a_close_code_and_nobody_else_notices) {
    begin();
    const Peer good = subscribed("n/x");
    const auto outcome = [&](const std::string& bytes) {
        const Peer bad = join();
        send(bad, bytes);
        const Messages got = bad.take();
        return got.empty() ? std::string("silence") : got.back();
    };
    EXPECT_NE(outcome(testing::masked_frame(1, "{")).find("bad_request"), std::string::npos);
    EXPECT_NE(outcome(testing::masked_frame(1, R"({"type":"drop tables"})")).find("unknown type"), std::string::npos);
    EXPECT_NE(outcome(testing::masked_frame(1, R"({"type":"subscribe","id":1,"channel":"p/../x"})")).find("type"),
              std::string::npos);
    EXPECT_NE(outcome(testing::masked_frame(1, R"({"type":"refresh","id":1,"token":"t"})")).find("unauthorized"),
              std::string::npos);
    EXPECT_EQ(outcome(testing::masked_frame(2, "binary")), "close 1003");
    EXPECT_EQ(outcome(testing::masked_frame(1, std::string(70'000, 'x'))), "close 1009");
    EXPECT_EQ(outcome(testing::masked_frame(1, "\xff")), "close 1007");
    EXPECT_EQ(outcome("\x81\x01x"), "close 1002");
    EXPECT_EQ(outcome(testing::masked_frame(8, "\x03\xe8")), "close 1000");
    std::string flood;
    for (int i = 0; i < 1000; ++i)
        flood += testing::masked_frame(9, "p");
    EXPECT_EQ(outcome(flood), "close 4300");
    broadcast({tenant_id("shop_a"), "n", "x"});
    EXPECT_EQ(good.take().size(), 1u);
}

TEST_F(HubTest, an_address_cannot_name_another_tenant) {
    begin();
    source->commit("x", 1);
    const Peer b = connect("shop_b");
    b.take();
    for (const char* channel :
         {"shop_a/p/x", "p/x?tenant=shop_a", "p/..%2Fshop_a", "p/shop_a", "room/lobby", "p/x%00shop_a"}) {
        ask(b, fmt::format(R"({{"type":"subscribe","id":1,"channel":"{}","tenant":"shop_a"}})", channel));
    }
    b.take();
    publish("x", source->commit("x", 1));
    publish("shop_a", source->commit("shop_a", 1));
    EXPECT_EQ(b.take(), Messages{});
}

// Overload between shards

TEST_F(HubTest, frames_that_find_their_home_full_are_fetched_from_the_source) {
    begin({.ring_frames = 10'000, .ring_bytes = 16 << 20});
    const Peer a = subscribed("p/x", 1);
    constexpr int kMany = 70'000;  // more than an inbox takes
    for (int i = 0; i < kMany; ++i)
        hub->publish({tenant_id("shop_a"), "p", "x"}, "1", source->commit("x", 1));
    std::vector<std::int64_t> versions;
    const auto collect = [&] {
        for (const std::string& message : a.take()) {
            const std::size_t at = message.find("\"version\":");
            if (at != std::string::npos) versions.push_back(std::stoll(message.substr(at + 10)));
        }
    };
    run();
    collect();
    pass(2s);
    collect();
    ASSERT_EQ(versions.size(), static_cast<std::size_t>(kMany));
    for (std::size_t i = 0; i < versions.size(); ++i)
        ASSERT_EQ(versions[i], static_cast<std::int64_t>(i + 1));
    EXPECT_GE(source->ranges, 1);
}

TEST_F(HubTest, events_that_find_their_home_full_are_refused) {
    begin();
    SendOutcome last;
    for (int i = 0; i < 70'000; ++i)
        last = hub->broadcast_room(room("lobby"), "e", "1");
    EXPECT_EQ(last.admission, Admission::overloaded);
    run();
    EXPECT_EQ(await(hub->broadcast_room_counted(room("lobby"), "e", "1")), 0u);
}

// The end

TEST_F(HubTest, close_all_reaches_even_full_queues) {
    begin();
    const Peer full = chat("shop_a", 0);
    const Peer free = join("shop_a", 1);
    into_room(full, "lobby");
    full.wire->room = 4;
    broadcast(room("lobby"), "e", "1");
    broadcast(room("lobby"), "e", "2");
    EXPECT_EQ(await(hub->close_all()), 2u);
    on_shard(0, [&] { full.wire->allow(SIZE_MAX); });
    EXPECT_EQ(full.take(), (Messages{R"({"event":"e","data":1})", "close 1001"}));
    const Messages told = free.take();
    ASSERT_EQ(told.size(), 2u);
    EXPECT_TRUE(told[0].starts_with(R"({"type":"bye","code":1001)"));
    EXPECT_EQ(told[1], "close 1001");
    EXPECT_EQ(hub->connection_count(), 0u);
}

TEST_F(HubTest, draining_spreads_the_goodbyes_and_tells_when_to_come_back) {
    begin();
    std::vector<Peer> peers;
    for (std::uint32_t i = 0; i < 40; ++i)
        peers.push_back(join("shop_a", i % 2));
    auto drained = runtime::start_on(shards->at(0), hub->drain(20s));
    run();
    EXPECT_TRUE(hub->busy());
    const std::size_t left_at_once = hub->connection_count();
    EXPECT_GT(left_at_once, 20u);
    const Peer late = connect("shop_a", 0);
    EXPECT_EQ(late.take().back(), "close 4101");
    pass(10s);
    EXPECT_EQ(hub->connection_count(), 0u);
    std::set<std::string> pauses;
    for (const Peer& peer : peers) {
        const Messages told = peer.take();
        ASSERT_EQ(told.size(), 2u);
        EXPECT_TRUE(told[0].starts_with(R"({"type":"bye","code":4101)"));
        pauses.insert(told[0].substr(told[0].find("reconnect_after_ms")));
        EXPECT_EQ(told[1], "close 4101");
    }
    EXPECT_GT(pauses.size(), 20u);
    for (std::size_t i = 0; i < 39; ++i)
        on_shard(peers[i].shard, [&] { peers[i].wire->end(); });
    pass(11s);
    EXPECT_TRUE(peers[39].wire->closed);
    run_until_ready(drained);
    drained.get();
    hub.reset();
}

TEST_F(HubTest, metrics_show_what_the_books_say) {
    begin();
    const Peer a = chat();
    into_room(a, "lobby");
    for (int i = 0; i < 5; ++i)
        broadcast(room("lobby"));
    pass(250ms);
    const std::string page = metrics.render();
    EXPECT_NE(page.find("sluice_ws_connections 1"), std::string::npos) << page;
    EXPECT_NE(page.find("sluice_ws_messages_out_total 5"), std::string::npos) << page;
    EXPECT_NE(page.find("sluice_ws_frames_offered_total 5"), std::string::npos) << page;
    EXPECT_NE(page.find("sluice_ws_slow_client_evictions_total 0"), std::string::npos) << page;
}

TEST_F(HubTest, declarations_are_checked) {
    make();
    EXPECT_THROW(hub->declare({.name = "Bad"}), std::invalid_argument);
    EXPECT_THROW(hub->declare({.name = "room"}), std::invalid_argument);
    EXPECT_THROW(hub->declare({.name = "x", .history = History::source}), std::invalid_argument);
    EXPECT_THROW(hub->declare({.name = "x", .source = source}), std::invalid_argument);
    hub->declare({.name = "x"});
    EXPECT_THROW(hub->declare({.name = "x"}), std::invalid_argument);
    hub->add_gateway({.path = "/a"});
    EXPECT_THROW(hub->add_gateway({.path = "/a"}), std::invalid_argument);
    EXPECT_THROW(hub->add_gateway({}), std::invalid_argument);
    start();
}

}  // namespace
}  // namespace sluice::realtime
