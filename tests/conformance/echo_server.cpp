#include "tests/conformance/echo_server.hpp"

#include <chrono>
#include <utility>
#include <vector>

#include "sluice/core/log.hpp"
#include "sluice/core/metrics.hpp"
#include "sluice/http/problem.hpp"
#include "sluice/http/server.hpp"
#include "sluice/realtime/hub.hpp"
#include "sluice/realtime/ws/handshake.hpp"
#include "sluice/runtime/outside.hpp"
#include "sluice/runtime/shard.hpp"

namespace sluice::conformance {
namespace {

using http::RequestContext;
using http::Response;

constexpr std::uint32_t kShards = 2;

http::UpgradeDecision decide(RequestContext& context, const std::shared_ptr<realtime::Hub>& hub,
                             const realtime::ws::HandshakeRules& rules, const std::string& path) {
    const http::Request& request = context.request;
    std::vector<realtime::ws::HeaderView> fields;
    for (const auto& [name, value] : request.headers)
        fields.push_back({name, value});
    auto accepted = realtime::ws::evaluate({request.method, request.http_1_0 ? 0 : 1, fields}, rules);
    if (!accepted) {
        Response refusal = http::problem(context, accepted.error().status, accepted.error().text);
        for (const auto& [name, value] : accepted.error().headers)
            refusal.headers.add(name, value);
        return refusal;
    }
    http::Upgrade upgrade;
    upgrade.headers.add("Upgrade", "websocket");
    upgrade.headers.add("Sec-WebSocket-Accept", accepted->accept);
    if (!accepted->protocol.empty()) upgrade.headers.add("Sec-WebSocket-Protocol", accepted->protocol);
    upgrade.takeover = [hub, path](net::Stream stream, std::string leftover) {
        hub->adopt(std::move(stream), std::move(leftover),
                   identity::Identity::anonymous(tenant::TenantId::parse("shop_a").value()),
                   realtime::Endpoint::gateway(path));
    };
    return upgrade;
}

runtime::Task<http::UpgradeDecision> decide_later(RequestContext& context, std::shared_ptr<realtime::Hub> hub,
                                                  realtime::ws::HandshakeRules rules, std::string path) {
    co_return decide(context, hub, rules, path);
}

runtime::Task<Response> hello(RequestContext&) {
    co_return Response::text(200, "hello");
}

runtime::Task<Response> echo_body(RequestContext& context) {
    co_return Response::text(200, context.request.body);
}

}  // namespace

realtime::HubSettings generous_hub() {
    realtime::HubSettings settings;
    settings.max_message_bytes = 16 * 1024 * 1024;
    settings.max_fragments = 100'000;
    settings.inbound_per_second = 10'000'000;
    settings.inbound_burst = 10'000'000;
    settings.tick = std::chrono::milliseconds(20);
    return settings;
}

struct EchoServer::State {
    State(const http::ServerSettings& http_settings, const realtime::HubSettings& hub_settings)
        : shards(kShards),
          hub(std::make_shared<realtime::Hub>(shards, hub_settings, core::Logger(), metrics)),
          server(
              std::make_unique<http::Server>("conformance", shards, routes(), http_settings, core::Logger(), metrics)) {
        for (const char* path : {"/echo", "/chat"}) {
            realtime::GatewayConfig gateway;
            gateway.path = path;
            gateway.on_message = [](const realtime::Client& client, realtime::MessageKind kind,
                                    std::string_view payload) { client.send(kind, payload); };
            hub->add_gateway(std::move(gateway));
        }
        hub->start();
        shards.start();
        server->listen("127.0.0.1", 0);
    }

    ~State() {
        server->stop_accepting();
        runtime::block_on(shards.at(0), hub->drain(std::chrono::milliseconds(100)));
        server->stop(std::chrono::milliseconds(0));
        shards.stop();
    }

    http::Router routes() {
        http::Router router;
        const auto socket = [this](const std::string& path, const realtime::ws::HandshakeRules& rules) {
            return [this, path, rules](RequestContext& context) { return decide_later(context, hub, rules, path); };
        };
        router.websocket("/echo", socket("/echo", {}), http::Tenancy::none);
        router.websocket("/chat", socket("/chat", {.protocols = {"echo.v1"}}), http::Tenancy::none);
        router.get("/hello", hello, http::Tenancy::none);
        router.add("POST", "/echo-body", echo_body, http::Tenancy::none);
        return router;
    }

    runtime::ShardGroup shards;
    core::Metrics metrics;
    std::shared_ptr<realtime::Hub> hub;  // shared with upgrades on their way
    std::unique_ptr<http::Server> server;
};

EchoServer::EchoServer(const http::ServerSettings& http_settings, const realtime::HubSettings& hub_settings)
    : state_(std::make_unique<State>(http_settings, hub_settings)) {}

EchoServer::~EchoServer() = default;

std::uint16_t EchoServer::port() const noexcept {
    return state_->server->port();
}

}  // namespace sluice::conformance
