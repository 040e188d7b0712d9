// The hub without sockets: connections, rooms, slow readers, liveness.
#include "sluice/realtime/hub.hpp"

#include <map>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sluice/realtime/test_scripted_hub.hpp"

namespace sluice::realtime {
namespace {

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

}  // namespace
}  // namespace sluice::realtime
