#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "bench/count_writes.hpp"
#include "bench/fanout_servers.hpp"
#include "bench/harness.hpp"
#include "sluice/core/metrics.hpp"
#include "sluice/http/problem.hpp"
#include "sluice/http/server.hpp"
#include "sluice/realtime/hub.hpp"
#include "sluice/realtime/ws/handshake.hpp"
#include "sluice/runtime/outside.hpp"

namespace sluice::bench {
namespace {

using realtime::Client;
using realtime::GatewayConfig;
using realtime::MessageKind;

constexpr int kRooms = 20;

http::UpgradeHandler into(const std::shared_ptr<realtime::Hub>& hub, const realtime::Endpoint& endpoint,
                          const std::shared_ptr<const identity::Identity>& who) {
    return [=](http::RequestContext& context) -> runtime::Task<http::UpgradeDecision> {
        std::vector<realtime::ws::HeaderView> fields;
        fields.reserve(context.request.headers.size());
        for (const auto& [name, value] : context.request.headers)
            fields.push_back({name, value});
        const realtime::ws::UpgradeRequest head{context.request.method, 1, fields};
        const auto accepted = realtime::ws::evaluate(head, {.protocols = {realtime::ws::kSluiceV1}});
        if (!accepted) co_return http::problem(context, accepted.error().status, accepted.error().text);
        http::Upgrade upgrade;
        upgrade.headers.add("Upgrade", "websocket");
        upgrade.headers.add("Sec-WebSocket-Accept", accepted->accept);
        upgrade.headers.add("Sec-WebSocket-Protocol", accepted->protocol);
        upgrade.takeover = [hub, endpoint, who](net::Stream stream, std::string leftover) {
            hub->adopt(std::move(stream), std::move(leftover), who, endpoint);
        };
        co_return std::move(upgrade);
    };
}

std::string room_name(int index) {
    return fmt::format("room-{}", index);
}

GatewayConfig members_of(std::string path, int rooms) {
    GatewayConfig gateway{.path = std::move(path)};
    gateway.on_connect = [rooms](const Client& client) {
        for (int i = 0; i < rooms; ++i)
            client.join_room(room_name(i));
    };
    return gateway;
}

GatewayConfig publisher_to(std::string path, int rooms) {
    GatewayConfig gateway{.path = std::move(path)};
    std::vector<std::string> names;
    for (int i = 0; i < rooms; ++i)
        names.push_back(room_name(i));
    gateway.on_message = [names](const Client& client, MessageKind, std::string_view data) {
        for (const std::string& name : names)
            client.broadcast_room(name, "m", data);
    };
    return gateway;
}

realtime::HubSettings settings() {
    realtime::HubSettings limits;
    limits.inbound_per_second = 1'000'000;  // one connection publishes for everybody
    limits.inbound_burst = 1'000'000;
    limits.ping_interval = std::chrono::hours(1);  // members only listen
    return limits;
}

}  // namespace

int run_hub_server() {
    raise_descriptor_limit();
    core::Metrics metrics;
    const core::Logger log;
    runtime::ShardGroup shards(1);
    const auto hub = std::make_shared<realtime::Hub>(shards, settings(), log, metrics);
    identity::Policy policy;
    policy.allow(realtime::kSubscribe, identity::anyone_of_the_tenant);
    hub->declare({.name = "feed", .policy = std::move(policy)});
    const auto who = identity::Identity::anonymous(tenant::TenantId::parse("bench").value());
    http::Router routes;
    for (const int rooms : {1, kRooms}) {
        const std::string suffix = rooms == 1 ? "" : fmt::to_string(rooms);
        for (GatewayConfig gateway :
             {members_of("/member" + suffix, rooms), publisher_to("/publish" + suffix, rooms)}) {
            routes.websocket(gateway.path, into(hub, realtime::Endpoint::gateway(gateway.path), who),
                             http::Tenancy::none);
            hub->add_gateway(std::move(gateway));
        }
    }
    routes.websocket("/idle", into(hub, realtime::Endpoint::gateway("/idle"), who), http::Tenancy::none);
    hub->add_gateway({.path = "/idle"});
    routes.websocket("/live", into(hub, realtime::Endpoint::channels(), who), http::Tenancy::none);
    hub->start();
    shards.start();
    {
        http::Server server("bench", shards, std::move(routes), {}, log, metrics);
        server.listen("127.0.0.1", 0);
        std::string line;
        while (read_line(line))
            answer(fmt::to_string(line == "port" ? std::uint64_t{server.port()} : write_calls()));
        server.stop(std::chrono::milliseconds(0));
    }
    runtime::block_on(shards.at(0), hub->drain(std::chrono::milliseconds(0)));
    shards.stop();
    return 0;
}

}  // namespace sluice::bench
