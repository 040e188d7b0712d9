// The hub over real sockets.
#include "sluice/realtime/hub.hpp"

#include <atomic>
#include <map>
#include <mutex>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sluice/core/json/node.hpp"
#include "sluice/realtime/test_server.hpp"
#include "sluice/runtime/outside.hpp"
#include "sluice/testing/ws_client.hpp"

namespace sluice::realtime {
namespace {

using namespace std::chrono_literals;
using testing::WsClient;

constexpr auto kPatience = 10'000ms;

/// A source of counters: the state is the version, every delta says "+1".
class CountingSource final : public ChannelSource {
public:
    runtime::Task<std::expected<Snapshot, SourceError>> open(ChannelAddress address) override {
        const std::scoped_lock lock(mutex_);
        ++opens;
        if (segments_of(address).front() == "missing") co_return std::unexpected(SourceError::not_found);
        const std::int64_t version = versions_[address];
        const std::string padding(padding_, 'x');
        co_return Snapshot{
            epoch_, core::Version(version),
            std::make_shared<const std::string>(fmt::format(R"({{"count":{},"padding":"{}"}})", version, padding))};
    }
    runtime::Task<std::expected<std::vector<Frame>, SourceError>> range(ChannelAddress, std::string,
                                                                        core::Version after,
                                                                        core::Version to) override {
        ++ranges;
        std::vector<Frame> frames;
        for (std::int64_t v = after.value() + 1; v <= to.value(); ++v)
            frames.push_back({core::Version(v), "", "\"+1\""});
        co_return frames;
    }

    /// The next `count` frames of a channel, as if committed.
    std::vector<Frame> commit(const ChannelAddress& address, int count) {
        const std::scoped_lock lock(mutex_);
        std::vector<Frame> frames;
        for (int i = 0; i < count; ++i)
            frames.push_back({core::Version(++versions_[address]), "", "\"+1\""});
        return frames;
    }
    void pad_states(std::size_t bytes) { padding_ = bytes; }

    std::atomic<int> opens{0};
    std::atomic<int> ranges{0};

private:
    std::mutex mutex_;
    std::map<ChannelAddress, std::int64_t> versions_;
    std::string epoch_ = "7";
    std::size_t padding_ = 0;
};

class HubSocketTest : public ::testing::Test {
protected:
    void start(HubSettings settings = {}, std::uint32_t shard_count = 2) {
        shards = std::make_unique<runtime::ShardGroup>(shard_count);
        hub = std::make_unique<Hub>(*shards, settings, core::Logger(), metrics);
        identity::Policy everyone;
        everyone.allow(kSubscribe, identity::anyone_of_the_tenant).allow(kPublish, identity::anyone_of_the_tenant);
        hub->declare({.name = "projection", .policy = everyone, .history = History::source, .source = source});
        hub->declare({.name = "chat", .policy = everyone, .history = History::memory, .client_events = true});
        hub->declare({.name = "secret", .history = History::memory});
        for (GatewayConfig& gateway : gateways)
            hub->add_gateway(std::move(gateway));
        hub->start();
        shards->start();
        server = std::make_unique<TestServer>(*shards, *hub);
    }

    void TearDown() override {
        if (!shards) return;
        server.reset();
        runtime::block_on(shards->at(0), hub->drain(200ms));
        hub.reset();
        shards->stop();
    }

    WsClient connect(const std::string& tenant = "shop_a", int receive_buffer = 0) {
        WsClient client = WsClient::connect({.port = server->port(),
                                             .path = "/ws?tenant=" + tenant,
                                             .protocol = "sluice.v1.json",
                                             .receive_buffer = receive_buffer});
        EXPECT_TRUE(client.receive_text(kPatience).starts_with(R"({"type":"welcome","connection":")"));
        return client;
    }

    static ChannelAddress stock(std::string_view key, const char* tenant = "shop_a") {
        return make_channel(tenant::TenantId::parse(tenant).value(), "projection", {"stock", key}).value();
    }

    std::shared_ptr<CountingSource> source = std::make_shared<CountingSource>();
    std::vector<GatewayConfig> gateways;
    core::Metrics metrics;
    std::unique_ptr<runtime::ShardGroup> shards;
    std::unique_ptr<Hub> hub;
    std::unique_ptr<TestServer> server;
};

std::string subscribe(int id, std::string_view channel) {
    return fmt::format(R"({{"type":"subscribe","id":{},"channel":"{}"}})", id, channel);
}

std::int64_t version_of(const std::string& message) {
    const auto parsed = core::json::parse(message);
    return parsed.value().root().find("version").value().integer().value();
}

TEST_F(HubSocketTest, a_subscriber_gets_the_state_and_then_every_delta) {
    start();
    source->commit(stock("A-1"), 3);
    WsClient client = connect();
    client.send_text(subscribe(1, "projection/stock/A-1"));
    EXPECT_EQ(
        client.receive_text(kPatience),
        R"({"type":"subscribed","id":1,"channel":"projection/stock/A-1","epoch":"7","version":3,"policy":"evict","state":{"count":3,"padding":""}})");
    hub->publish(stock("A-1"), "7", source->commit(stock("A-1"), 2));
    EXPECT_EQ(client.receive_text(kPatience),
              R"({"type":"delta","channel":"projection/stock/A-1","epoch":"7","version":4,"data":"+1"})");
    EXPECT_EQ(version_of(client.receive_text(kPatience)), 5);
    client.close(1000, kPatience);
}

TEST_F(HubSocketTest, who_comes_back_gets_exactly_what_it_missed_without_a_read) {
    start();
    WsClient stays = connect();
    stays.send_text(subscribe(1, "projection/stock/A-1"));
    stays.receive_text(kPatience);
    {
        WsClient leaves = connect();
        leaves.send_text(subscribe(1, "projection/stock/A-1"));
        leaves.receive_text(kPatience);
        leaves.reset();
    }
    hub->publish(stock("A-1"), "7", source->commit(stock("A-1"), 4));
    for (int i = 1; i <= 4; ++i)
        EXPECT_EQ(version_of(stays.receive_text(kPatience)), i);
    const int opens = source->opens;
    WsClient back = connect();
    back.send_text(R"({"type":"subscribe","id":"again","channel":"projection/stock/A-1","epoch":"7","version":2})");
    EXPECT_EQ(
        back.receive_text(kPatience),
        R"({"type":"subscribed","id":"again","channel":"projection/stock/A-1","epoch":"7","version":4,"policy":"evict",)"
        R"("frames":[{"version":3,"data":"+1"},{"version":4,"data":"+1"}]})");
    EXPECT_EQ(source->opens, opens);
}

}  // namespace
}  // namespace sluice::realtime
