// A hub on in-memory connections with a source that answers at once, for the hub's tests.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <boost/asio/post.hpp>

#include "sluice/realtime/hub.hpp"
#include "sluice/realtime/test_hub_fixture.hpp"

namespace sluice::realtime {

using namespace std::chrono_literals;
using Messages = std::vector<std::string>;

/// Answers at once; the version is what `commit` has reached.
class ScriptedSource final : public ChannelSource {
public:
    runtime::Task<std::expected<Snapshot, SourceError>> open(ChannelAddress address) override {
        ++opens;
        co_await boost::asio::post(runtime::Shard::current()->executor(), runtime::use_task);
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

}  // namespace sluice::realtime
