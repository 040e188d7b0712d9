#include "sluice/app/internal/edge.hpp"

#include <utility>

#include <fmt/format.h>

#include "sluice/http/origin.hpp"
#include "sluice/http/problem.hpp"
#include "sluice/realtime/ws/handshake.hpp"
#include "sluice/tenant/strategy.hpp"

namespace sluice::app::internal {
namespace {

using http::RequestContext;
using http::Response;

unsigned status_of(tenant::RefusalKind kind) {
    switch (kind) {
        case tenant::RefusalKind::unknown:
            return 404;
        case tenant::RefusalKind::suspended:
            return 403;
        case tenant::RefusalKind::missing:
        case tenant::RefusalKind::malformed:
        case tenant::RefusalKind::contradictory:
            break;
    }
    return 400;
}

std::expected<http::TenantBinding, http::TenantRefusal> bind(const tenant::TenantRegistry& tenants,
                                                             const db::DataSourceRegistry& sources,
                                                             const tenant::Strategy& strategy,
                                                             const http::Request& request) {
    const tenant::RequestFacts facts{request.headers.find("Host").value_or(""), request.path,
                                     [&](std::string_view name) { return request.headers.find(name); }};
    auto resolved = tenant::resolve(tenants, strategy, facts);
    if (resolved)
        return http::TenantBinding{resolved->tenant->id, sources.find(resolved->tenant->data_source),
                                   std::move(resolved->path)};
    tenant::Refusal& refusal = resolved.error();
    if (refusal.kind == tenant::RefusalKind::missing)
        return http::TenantBinding{std::nullopt, nullptr, std::move(refusal.path)};
    return std::unexpected(
        http::TenantRefusal{status_of(refusal.kind), std::move(refusal.detail), std::move(refusal.path)});
}

Response refusal_of(const RequestContext& request, const realtime::ws::Refused& refused) {
    Response response = http::problem(request, refused.status, refused.text);
    for (const auto& [name, value] : refused.headers)
        response.headers.add(name, value);
    return response;
}

http::UpgradeDecision decide(RequestContext& context, const std::shared_ptr<realtime::Hub>& hub,
                             const http::OriginPolicy& origins) {
    const http::Request& request = context.request;
    std::vector<realtime::ws::HeaderView> fields;
    for (const auto& [name, value] : request.headers)
        fields.push_back({name, value});
    const realtime::ws::UpgradeRequest head{request.method, request.http_1_0 ? 0 : 1, fields};
    const auto accepted = realtime::ws::evaluate(head, {.protocols = {realtime::ws::kSluiceV1}});
    if (!accepted) return refusal_of(context, accepted.error());
    const auto verdict = origins.judge(request.headers.find("Origin"), request.headers.find("Host").value_or(""));
    if (verdict == http::OriginVerdict::refused)
        return http::problem(context, 403,
                             "Origin: pages of this origin may not connect; add it to the allowed origins");
    if (const auto after = hub->busy()) {
        Response busy =
            http::problem(context, 503, "the server has no room for another connection; come back after Retry-After");
        busy.headers.add("Retry-After", fmt::format("{}", after->count()));
        return busy;
    }
    http::Upgrade upgrade;
    upgrade.headers.add("Upgrade", "websocket");
    upgrade.headers.add("Sec-WebSocket-Accept", accepted->accept);
    upgrade.headers.add("Sec-WebSocket-Protocol", accepted->protocol);
    auto who = identity::Identity::anonymous(*context.tenant);
    upgrade.takeover = [hub, who = std::move(who)](net::Stream stream, std::string leftover) {
        hub->adopt(std::move(stream), std::move(leftover), who, realtime::Endpoint::channels());
    };
    return upgrade;
}

runtime::Task<http::UpgradeDecision> decide_later(RequestContext& context, std::shared_ptr<realtime::Hub> hub,
                                                  std::shared_ptr<const http::OriginPolicy> origins) {
    co_return decide(context, hub, *origins);
}

runtime::Task<Response> alive(RequestContext&) {
    co_return Response::text(200, "alive\n");
}

runtime::Task<Response> readiness(RequestContext& context, std::shared_ptr<const Health> health) {
    if (health->ready.load()) co_return Response::text(200, "ready\n");
    co_return http::problem(context, 503, "the server is starting or draining; it takes no new work");
}

runtime::Task<Response> metrics_page(RequestContext&, const core::Metrics& metrics) {
    Response response = Response::text(200, metrics.render());
    response.headers.set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    co_return response;
}

}  // namespace

http::TenantResolver tenant_resolver(std::shared_ptr<const tenant::TenantRegistry> tenants,
                                     std::shared_ptr<const db::DataSourceRegistry> sources) {
    const tenant::Strategy strategy = tenant::all_of({tenant::by_header("X-Tenant"), tenant::by_path_prefix("/t/")});
    return [=](const http::Request& request) { return bind(*tenants, *sources, strategy, request); };
}

http::UpgradeHandler live_channels(std::shared_ptr<realtime::Hub> hub, std::vector<std::string> origins) {
    auto policy = std::make_shared<const http::OriginPolicy>(origins);
    return [hub = std::move(hub), policy = std::move(policy)](RequestContext& context) {
        return decide_later(context, hub, policy);
    };
}

void add_health(http::Router& router, std::shared_ptr<const Health> health) {
    router.get("/healthz", alive, http::Tenancy::none);
    router.get(
        "/readyz", [health = std::move(health)](RequestContext& context) { return readiness(context, health); },
        http::Tenancy::none);
}

http::Router admin_routes(std::shared_ptr<const Health> health, const core::Metrics& metrics) {
    http::Router router;
    add_health(router, std::move(health));
    router.get(
        "/metrics", [&metrics](RequestContext& context) { return metrics_page(context, metrics); },
        http::Tenancy::none);
    return router;
}

}  // namespace sluice::app::internal
