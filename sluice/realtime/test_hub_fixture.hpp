// For tests of the hub without sockets and threads: shards that run by hand, a clock that stands still, connections in
// memory.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "sluice/core/clock.hpp"
#include "sluice/core/metrics.hpp"
#include "sluice/realtime/hub.hpp"
#include "sluice/realtime/ws/frame_codec.hpp"
#include "sluice/runtime/outside.hpp"
#include "sluice/testing/log_capture.hpp"
#include "sluice/testing/memory_transport.hpp"

namespace sluice::realtime {

class HubFixture : public ::testing::Test {
protected:
    struct Peer {
        ConnectionId id;
        std::uint32_t shard = 0;
        std::shared_ptr<testing::MemoryPeer> wire;  // shared with the hub's transport

        std::vector<std::string> take() const { return wire->take_messages(); }
    };

    /// Declares nothing but rooms; call before the rest.
    void make(HubSettings settings = {}, std::uint32_t shard_count = 2) {
        shards = std::make_unique<runtime::ShardGroup>(shard_count, clock);
        hub = std::make_unique<Hub>(*shards, settings, core::Logger(log, core::LogLevel::debug), metrics);
    }
    void start() {
        hub->start();
        run();
    }
    void TearDown() override {
        if (!hub) return;
        auto drained = runtime::start_on(shards->at(0), hub->drain(std::chrono::milliseconds(0)));
        run_until_ready(drained);
        drained.get();
    }

    /// Runs every shard until nothing is ready.
    void run() {
        std::size_t ran = 0;
        do {
            ran = 0;
            for (std::uint32_t i = 0; i < shards->size(); ++i)
                ran += shards->at(i).run_ready();
        } while (ran > 0);
    }
    /// Ticks are driven by a real timer, so time is given to it until `ready` holds.
    template <class T>
    void run_until_ready(std::future<T>& future) {
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (future.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
            ASSERT_LT(std::chrono::steady_clock::now(), until) << "it never came to an end";
            clock.advance(std::chrono::milliseconds(250));
            run();
        }
    }
    template <class T>
    T await(runtime::Task<T> task) {
        auto future = runtime::start_on(shards->at(0), std::move(task));
        run();
        EXPECT_EQ(future.wait_for(std::chrono::seconds(0)), std::future_status::ready);
        return future.get();
    }
    void on_shard(std::uint32_t shard, std::function<void()> work) {
        shards->at(shard).post(std::move(work));
        run();
    }

    Peer connect(std::string_view tenant = "shop_a", std::uint32_t shard = 0,
                 const Endpoint& endpoint = Endpoint::channels(), std::string leftover = {}) {
        Peer peer{{}, shard, std::make_shared<testing::MemoryPeer>()};
        on_shard(shard, [&] {
            peer.id = hub->register_connection(
                std::make_unique<testing::MemoryTransport>(peer.wire), std::move(leftover),
                identity::Identity::anonymous(tenant::TenantId::parse(tenant).value()), endpoint);
        });
        return peer;
    }
    /// The same, and its `welcome` is taken.
    Peer join(std::string_view tenant = "shop_a", std::uint32_t shard = 0) {
        Peer peer = connect(tenant, shard);
        EXPECT_EQ(peer.take().size(), 1u);
        return peer;
    }
    void say(const Peer& peer, std::string_view text) { send(peer, testing::masked_frame(1, text)); }
    void send(const Peer& peer, const std::string& bytes) {
        on_shard(peer.shard, [&] { peer.wire->send(bytes); });
    }
    std::vector<std::string> ask(const Peer& peer, std::string_view text) {
        say(peer, text);
        return peer.take();
    }
    /// Moves the monotonic clock in steps of a tick, and lets the shards see each.
    void pass(std::chrono::milliseconds time) {
        for (; time.count() > 0; time -= tick) {
            clock.advance(std::min(time, tick));
            await(hub->tick());
        }
    }

    static tenant::TenantId tenant_id(std::string_view name) { return tenant::TenantId::parse(name).value(); }
    static ChannelAddress room(std::string_view name, std::string_view tenant = "shop_a") {
        return Hub::room(tenant_id(tenant), name);
    }

    const std::chrono::milliseconds tick{250};
    core::ManualClock clock;
    core::Metrics metrics;
    std::shared_ptr<testing::CapturingSink> log = std::make_shared<testing::CapturingSink>();
    std::unique_ptr<runtime::ShardGroup> shards;
    std::unique_ptr<Hub> hub;
};

}  // namespace sluice::realtime
