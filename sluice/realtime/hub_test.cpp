// The hub without sockets: what each call promises, limits, liveness, the end.
#include "sluice/realtime/hub.hpp"

#include <map>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sluice/realtime/hub_fixture.hpp"

namespace sluice::realtime {
namespace {

using namespace std::chrono_literals;
using Messages = std::vector<std::string>;

/// Answers at once; the version is what `commit` has reached.
class ScriptedSource final : public ChannelSource {
public:
    runtime::Task<std::expected<Snapshot, SourceError>> open(ChannelAddress address) override {
        ++opens;
        if (address.name == "missing") co_return std::unexpected(SourceError::not_found);
        if (down) co_return std::unexpected(SourceError::unavailable);
        co_return Snapshot{"1", core::Version(versions[address.name]), std::make_shared<const std::string>(state)};
    }
    runtime::Task<std::expected<std::vector<Frame>, SourceError>> range(ChannelAddress, std::string,
                                                                        core::Version after,
                                                                        core::Version to) override {
        ++ranges;
        co_return frames(after.value() + 1, to.value());
    }
    static std::vector<Frame> frames(std::int64_t from, std::int64_t to) {
        std::vector<Frame> made;
        for (std::int64_t v = from; v <= to; ++v)
            made.push_back({core::Version(v), "", std::to_string(v)});
        return made;
    }
    std::vector<Frame> commit(const std::string& name, std::int64_t count) {
        std::int64_t& version = versions[name];
        version += count;
        return frames(version - count + 1, version);
    }

    std::map<std::string, std::int64_t> versions;
    std::string state = "{}";
    bool down = false;
    int opens = 0;
    int ranges = 0;
};

class HubTest : public HubFixture {
protected:
    void begin(HubSettings settings = {}, std::uint32_t shard_count = 2) {
        make(settings, shard_count);
        identity::Policy everyone;
        everyone.allow(kSubscribe, identity::anyone_of_the_tenant).allow(kPublish, identity::anyone_of_the_tenant);
        hub->declare({.name = "p", .policy = everyone, .history = History::source, .source = source});
        hub->declare({.name = "m",
                      .policy = everyone,
                      .history = History::memory,
                      .client_events = true,
                      .max_event_bytes = 100});
        hub->declare({.name = "n", .policy = everyone});
        hub->declare({.name = "closed", .history = History::memory});
        if (gateway.path.empty()) gateway.path = "/chat";
        hub->add_gateway(std::move(gateway));
        start();
    }
    Peer chat(std::string_view tenant = "shop_a", std::uint32_t shard = 0) {
        return connect(tenant, shard, Endpoint::gateway("/chat"));
    }
    void into_room(const Peer& peer, const std::string& name) {
        hub->join_room(peer.id, name);
        run();
    }
    std::size_t broadcast(const ChannelAddress& to, std::string_view event = "e", std::string_view data = "1") {
        return await(hub->broadcast_room_counted(to, std::string(event), std::string(data))).value();
    }
    Peer subscribed(const std::string& channel, std::uint32_t shard = 0) {
        Peer peer = join("shop_a", shard);
        const Messages answer = ask(peer, fmt::format(R"({{"type":"subscribe","id":1,"channel":"{}"}})", channel));
        EXPECT_EQ(answer.size(), 1u);
        return peer;
    }
    void publish(const std::string& name, std::vector<Frame> frames) {
        hub->publish({tenant_id("shop_a"), "p", name}, "1", std::move(frames));
        run();
    }
    AccountingTotals books() {
        const AccountingTotals totals = await(hub->accounting());
        EXPECT_EQ(totals.offered,
                  totals.delivered + totals.conflated + totals.dropped + totals.discarded + totals.queued);
        return totals;
    }

    std::shared_ptr<ScriptedSource> source = std::make_shared<ScriptedSource>();
    GatewayConfig gateway;
};

// Connections and rooms

TEST_F(HubTest, ids_are_never_used_twice) {
    begin();
    std::set<std::uint64_t> seen;
    for (int i = 0; i < 100; ++i) {
        const Peer peer = chat("shop_a", static_cast<std::uint32_t>(i % 2));
        EXPECT_TRUE(seen.insert(peer.id.value()).second);
        hub->unregister(peer.id);
        run();
        EXPECT_TRUE(peer.wire->closed);
    }
    EXPECT_EQ(hub->connection_count(), 0u);
}

TEST_F(HubTest, a_broadcast_reaches_every_member_on_every_shard_in_the_exact_text) {
    begin();
    const Peer a = chat("shop_a", 0);
    const Peer b = chat("shop_a", 1);
    const Peer outside = chat("shop_a", 1);
    into_room(a, "lobby");
    into_room(b, "lobby");
    EXPECT_EQ(broadcast(room("lobby"), "said", R"({"text":"hi"})"), 2u);
    EXPECT_EQ(a.take(), (Messages{R"({"event":"said","data":{"text":"hi"}})"}));
    EXPECT_EQ(b.take(), (Messages{R"({"event":"said","data":{"text":"hi"}})"}));
    EXPECT_EQ(outside.take(), Messages{});
}

TEST_F(HubTest, a_member_hears_nothing_after_it_left_and_a_room_without_members_is_gone) {
    begin();
    const Peer a = chat("shop_a", 1);
    into_room(a, "lobby");
    into_room(a, "lobby");
    EXPECT_EQ(broadcast(room("lobby")), 1u);
    hub->leave_room(a.id, "lobby");
    run();
    EXPECT_EQ(broadcast(room("lobby")), 0u);
    EXPECT_EQ(a.take().size(), 1u);
    into_room(a, "lobby");
    hub->unregister(a.id);
    run();
    EXPECT_EQ(broadcast(room("lobby")), 0u);
    EXPECT_EQ(broadcast(room("never was")), 0u);
}

TEST_F(HubTest, calls_with_an_id_that_is_gone_do_nothing) {
    begin();
    const Peer a = chat();
    hub->unregister(a.id);
    run();
    into_room(a, "lobby");
    hub->leave_room(a.id, "lobby");
    hub->touch(a.id);
    hub->unregister(a.id);
    EXPECT_EQ(await(hub->send_counted(a.id, "e", "1")), 0u);
    EXPECT_EQ(await(hub->send_counted(ConnectionId(0xffff'ffff'ffff'ffff), "e", "1")), 0u);
    EXPECT_EQ(broadcast(room("lobby")), 0u);
}

TEST_F(HubTest, a_join_that_races_the_end_leaves_nothing) {
    begin();
    const Peer a = chat();
    shards->at(0).post([&] {
        hub->unregister(a.id);
        hub->join_room(a.id, "lobby");
    });
    run();
    EXPECT_EQ(broadcast(room("lobby")), 0u);
}

TEST_F(HubTest, rooms_of_two_tenants_by_one_name_are_two_rooms) {
    begin();
    const Peer a = chat("shop_a");
    const Peer b = chat("shop_b");
    into_room(a, "lobby");
    into_room(b, "lobby");
    EXPECT_EQ(broadcast(room("lobby", "shop_b")), 1u);
    EXPECT_EQ(a.take(), Messages{});
    EXPECT_EQ(b.take().size(), 1u);
}

TEST_F(HubTest, a_tenant_broadcast_reaches_all_of_that_tenant_and_nobody_else) {
    begin();
    const Peer a = chat("shop_a", 0);
    const Peer b = join("shop_a", 1);
    const Peer other = chat("shop_b", 1);
    EXPECT_EQ(await(hub->broadcast_tenant_counted(tenant_id("shop_a"), "news", "7")), 2u);
    run();
    EXPECT_EQ(a.take(), (Messages{R"({"event":"news","data":7})"}));
    EXPECT_EQ(b.take(), (Messages{R"({"type":"event","event":"news","data":7})"}));
    EXPECT_EQ(other.take(), Messages{});
}

TEST_F(HubTest, one_member_can_be_left_out) {
    begin();
    const Peer a = chat("shop_a", 0);
    const Peer b = chat("shop_a", 0);
    into_room(a, "lobby");
    into_room(b, "lobby");
    shards->at(0).post([&] {  // one turn: the same batch holds what it gets and what it does not
        hub->broadcast_room(room("lobby"), "one", "1");
        hub->broadcast_except(room("lobby"), a.id, "two", "2");
        hub->broadcast_room(room("lobby"), "three", "3");
    });
    run();
    EXPECT_EQ(a.take(), (Messages{R"({"event":"one","data":1})", R"({"event":"three","data":3})"}));
    EXPECT_EQ(b.take().size(), 3u);
    EXPECT_EQ(books().queued, 0u);
}

TEST_F(HubTest, a_payload_that_is_no_json_fails_the_call_and_reaches_nobody) {
    begin();
    const Peer a = chat();
    into_room(a, "lobby");
    EXPECT_THROW(hub->broadcast_room(room("lobby"), "e", "{"), RealtimeError);
    EXPECT_THROW(hub->broadcast_room(room("lobby"), "", "1"), RealtimeError);
    EXPECT_THROW(hub->broadcast_tenant(tenant_id("shop_a"), "e", ""), RealtimeError);
    EXPECT_THROW(hub->send(a.id, "e", "NaN"), RealtimeError);
    try {
        hub->broadcast_room(room("lobby"), "e", R"({"price":9007199254740993})");
        FAIL() << "an integer that JavaScript cannot hold was sent";
    } catch (const RealtimeError& error) {
        EXPECT_EQ(error.kind(), ErrorKind::bad_payload);
        EXPECT_NE(std::string(error.what()).find("$.price"), std::string::npos) << error.what();
    }
    EXPECT_THROW(hub->broadcast_room({tenant_id("shop_a"), "p", "x"}, "e", "1"), RealtimeError);
    EXPECT_THROW(hub->broadcast_room({tenant_id("shop_a"), "unknown", "x"}, "e", "1"), RealtimeError);
    run();
    EXPECT_EQ(a.take(), Messages{});
}

TEST_F(HubTest, disconnect_closes_the_connections_of_one_subject_or_token) {
    begin();
    Peer peers[3];
    const char* subjects[] = {"u-1", "u-2", "u-1"};
    for (std::uint32_t i = 0; i < 3; ++i) {
        peers[i] = {{}, i % 2, std::make_shared<testing::MemoryPeer>()};
        on_shard(i % 2, [&] {
            auto who = std::make_shared<const identity::Identity>(
                identity::Identity{tenant_id("shop_a"), subjects[i], fmt::format("t-{}", i), std::nullopt, {}});
            peers[i].id = hub->register_connection(std::make_unique<testing::MemoryTransport>(peers[i].wire), {}, who,
                                                   Endpoint::gateway("/chat"));
        });
    }
    EXPECT_EQ(await(hub->disconnect_subject(tenant_id("shop_b"), "u-1")), 0u);
    EXPECT_EQ(await(hub->disconnect_token(tenant_id("shop_a"), "t-1")), 1u);
    EXPECT_EQ(await(hub->disconnect_subject(tenant_id("shop_a"), "u-1")), 2u);
    for (const Peer& peer : peers)
        EXPECT_EQ(peer.take(), Messages{"close 4201"});
    EXPECT_EQ(hub->connection_count(), 0u);
}

// Gateways

TEST_F(HubTest, hooks_and_handlers_get_a_handle_that_outlives_its_connection) {
    std::vector<std::string> story;
    std::optional<Client> kept;
    gateway.on_connect = [&](const Client& client) {
        story.push_back("connect " + client.identity()->tenant.text());
        client.join_room("lobby");
        kept = client;
    };
    gateway.on_disconnect = [&](const Client& client) {
        story.push_back("disconnect");
        client.emit("bye", "null");
    };
    gateway.on("say", [](Client client, std::string data) -> runtime::Task<void> {
        client.broadcast_room("lobby", "said", data);
        co_return;
    });
    gateway.on("fail", [](Client, std::string) -> runtime::Task<void> {
        throw std::runtime_error("no such thing");
        co_return;
    });
    begin();
    const Peer a = chat("shop_a", 1);
    const Peer b = chat("shop_a", 0);
    EXPECT_EQ(ask(a, R"({"event":"say","data": [1, 2]})"), (Messages{R"({"event":"said","data":[1,2]})"}));
    EXPECT_EQ(b.take().size(), 1u);
    const Messages failed = ask(a, R"({"event":"fail"})");
    ASSERT_EQ(failed.size(), 1u);
    EXPECT_TRUE(failed[0].starts_with(R"({"event":"error","data":{"code":"internal")")) << failed[0];
    EXPECT_EQ(failed[0].find("no such thing"), std::string::npos);
    EXPECT_TRUE(log->contains("no such thing"));
    EXPECT_NE(ask(a, R"({"event":"unknown"})").at(0).find("no handler"), std::string::npos);
    EXPECT_NE(ask(a, "nonsense").at(0).find("bad_request"), std::string::npos);
    hub->unregister(b.id);
    hub->unregister(a.id);
    run();
    EXPECT_EQ(story, (std::vector<std::string>{"connect shop_a", "connect shop_a", "disconnect", "disconnect"}));
    on_shard(0, [&] {
        EXPECT_EQ(kept->identity(), nullptr);
        EXPECT_EQ(kept->emit("e", "1"), 0u);
        EXPECT_FALSE(kept->join_room("lobby"));
        kept->broadcast_room("lobby", "e", "1");
    });
}

TEST_F(HubTest, a_raw_gateway_gets_messages_as_they_came_from_the_handshakes_packet_on) {
    std::vector<std::pair<MessageKind, std::string>> got;
    gateway.on_message = [&](const Client&, MessageKind kind, std::string_view text) { got.emplace_back(kind, text); };
    begin();
    connect("shop_a", 0, Endpoint::gateway("/chat"), testing::masked_frame(2, "in the same packet"));
    EXPECT_EQ(got, (std::vector<std::pair<MessageKind, std::string>>{{MessageKind::binary, "in the same packet"}}));
}

// Slow readers

TEST_F(HubTest, with_a_queue_of_one_the_first_frame_is_kept_and_the_second_evicts) {
    begin({.queue_frames = 1});
    const Peer slow = chat("shop_a", 0);
    const Peer fast = chat("shop_a", 0);
    into_room(slow, "lobby");
    into_room(fast, "lobby");
    slow.wire->room = 0;
    broadcast(room("lobby"), "e", "1");
    EXPECT_EQ(hub->connection_count(), 2u);
    broadcast(room("lobby"), "e", "2");
    EXPECT_EQ(hub->connection_count(), 1u);
    EXPECT_EQ(fast.take().size(), 2u);
    on_shard(0, [&] { slow.wire->allow(SIZE_MAX); });
    EXPECT_EQ(slow.take(), Messages{"close 4100"});
    EXPECT_TRUE(slow.wire->write_shut);
    const AccountingTotals totals = books();
    EXPECT_EQ(totals.delivered, 2u);
    EXPECT_EQ(totals.discarded, 2u);
    EXPECT_EQ(totals.queued, 0u);
}

TEST_F(HubTest, an_evicted_reader_gets_the_frame_that_has_begun_whole_before_the_close_frame) {
    begin({.queue_frames = 1});
    const Peer slow = chat("shop_a", 0);
    into_room(slow, "lobby");
    slow.wire->room = 5;
    broadcast(room("lobby"), "e", "1");
    broadcast(room("lobby"), "e", "2");
    on_shard(0, [&] { slow.wire->allow(SIZE_MAX); });
    EXPECT_EQ(slow.take(), (Messages{R"({"event":"e","data":1})", "close 4100"}));
    EXPECT_EQ(books().discarded, 1u);
}

TEST_F(HubTest, a_reader_that_makes_no_progress_for_thirty_seconds_is_evicted) {
    begin();
    const Peer slow = chat("shop_a", 0);
    into_room(slow, "lobby");
    slow.wire->room = 3;
    broadcast(room("lobby"));
    for (int i = 0; i < 5; ++i) {
        pass(20s);
        hub->touch(slow.id);
        run();
        if (i == 0) {
            EXPECT_EQ(hub->connection_count(), 1u);
        }
    }
    EXPECT_EQ(hub->connection_count(), 0u);
    EXPECT_TRUE(slow.wire->was_reset);
    EXPECT_TRUE(slow.wire->closed);
}

TEST_F(HubTest, beyond_the_shards_bytes_whoever_is_furthest_behind_goes_first) {
    begin({.queue_frames = 10'000, .queue_bytes = 1 << 20, .shard_queue_bytes = 20'000, .small_rest_bytes = 0});
    const Peer behind = chat("shop_a", 0);
    const Peer further = chat("shop_a", 0);
    into_room(behind, "a");
    into_room(further, "b");
    behind.wire->room = 0;
    further.wire->room = 0;
    const std::string kilobyte = "\"" + std::string(1000, 'x') + "\"";
    for (int i = 0; i < 6; ++i)
        broadcast(room("a"), "e", kilobyte);
    for (int i = 0; i < 16; ++i)
        broadcast(room("b"), "e", kilobyte);
    pass(250ms);
    on_shard(0, [&] { further.wire->allow(SIZE_MAX); });
    EXPECT_EQ(further.take(), Messages{"close 4100"});
    EXPECT_EQ(hub->connection_count(), 1u);
    EXPECT_EQ(books().queued, 6u);
}

// Writing

TEST_F(HubTest, fifty_messages_of_one_turn_are_one_write) {
    begin();
    const Peer a = chat();
    into_room(a, "lobby");
    const std::size_t before = a.wire->write_calls;
    on_shard(0, [&] {
        for (int i = 0; i < 50; ++i)
            hub->broadcast_room(room("lobby"), "e", std::to_string(i));
    });
    EXPECT_EQ(a.take().size(), 50u);
    EXPECT_LE(a.wire->write_calls - before, 2u);
}

TEST_F(HubTest, a_member_of_twenty_rooms_that_all_changed_gets_them_in_one_write) {
    begin({}, 1);
    const Peer a = chat();
    for (int i = 0; i < 20; ++i)
        into_room(a, fmt::format("room {}", i));
    const std::size_t before = a.wire->write_calls;
    on_shard(0, [&] {
        for (int i = 0; i < 20; ++i)
            hub->broadcast_room(room(fmt::format("room {}", i)), "e", "1");
    });
    EXPECT_EQ(a.take().size(), 20u);
    EXPECT_EQ(a.wire->write_calls - before, 1u);
}

TEST_F(HubTest, members_that_come_and_go_during_a_long_walk_disturb_nobody) {
    begin({.walk_chunk = 8}, 1);
    std::vector<Peer> peers;
    for (int i = 0; i < 100; ++i) {
        peers.push_back(chat());
        hub->join_room(peers.back().id, "lobby");
    }
    run();
    shards->at(0).post([&] { hub->broadcast_room(room("lobby"), "e", "1"); });
    for (std::size_t i = 0; i < 40; ++i) {  // between chunks
        shards->at(0).post([&, i] {
            if (i % 2 == 0)
                hub->leave_room(peers[99 - i].id, "lobby");
            else
                hub->unregister(peers[99 - i].id);
            if (i == 7) hub->broadcast_room(room("lobby"), "e", "2");
        });
        shards->at(0).context().poll_one();
    }
    const Peer late = chat();
    into_room(late, "lobby");
    run();
    for (std::size_t i = 0; i < 60; ++i)
        EXPECT_EQ(peers[i].take().size(), 2u) << i;
    EXPECT_EQ(late.take(), Messages{});
    EXPECT_EQ(books().queued, 0u);
}

// Liveness

TEST_F(HubTest, a_silent_connection_is_pinged_and_then_closed_and_any_frame_is_life) {
    begin();
    const Peer silent = join();
    const Peer alive = join();
    const Peer socket = chat();
    pass(25s + tick);
    EXPECT_EQ(silent.take(), Messages{R"({"type":"ping"})"});
    EXPECT_EQ(socket.take(), Messages{"ping "});
    say(alive, R"({"type":"pong"})");
    send(socket, testing::masked_frame(10, ""));
    pass(25s);
    EXPECT_EQ(silent.take().back(), "close 4102");
    pass(5s);
    EXPECT_EQ(hub->connection_count(), 2u);
    EXPECT_EQ(metrics.counter("sluice_ws_idle_reaped_total", "").value(), 1);
}

TEST_F(HubTest, what_a_client_said_while_the_process_stood_still_counts) {
    begin();
    const Peer a = join();
    pass(25s + tick);
    a.wire->to_read = testing::masked_frame(1, R"({"type":"pong"})");  // in the socket, not yet reported
    clock.advance(100s);
    await(hub->tick());
    EXPECT_EQ(hub->connection_count(), 1u);
}

TEST_F(HubTest, a_jump_of_the_wall_clock_reaps_nobody) {
    begin();
    const Peer a = join();
    clock.jump_wall(1h);
    await(hub->tick());
    clock.jump_wall(-2h);
    await(hub->tick());
    EXPECT_EQ(hub->connection_count(), 1u);
    EXPECT_EQ(a.take(), Messages{});
}

TEST_F(HubTest, sweep_reaps_the_idle_and_leaves_the_fresh_working) {
    begin({.ping_interval = 10'000s});
    const Peer idle = chat("shop_a", 0);
    const Peer fresh = chat("shop_a", 1);
    pass(61s);
    hub->touch(fresh.id);
    run();
    EXPECT_EQ(await(hub->sweep_idle(60s)), std::vector<ConnectionId>{idle.id});
    run();
    EXPECT_EQ(idle.take(), Messages{"close 4102"});
    EXPECT_EQ(await(hub->send_counted(fresh.id, "e", "1")), 1u);
}

// sluice.v1

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
    begin({.max_commands_in_flight = 4});
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
    begin();
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
    EXPECT_NE(drained.wait_for(0s), std::future_status::ready);
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
