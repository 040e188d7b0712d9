#include "sluice/app/internal/edge.hpp"

#include <map>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "sluice/http/problem.hpp"
#include "sluice/realtime/ws/frame_codec.hpp"
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
    std::string joined;
    auto header = [&](std::string_view name) -> std::optional<std::string_view> {
        if (request.headers.count(name) < 2) return request.headers.find(name);
        joined.clear();  // two tenants in two fields are one malformed name, not the first of them
        for (const auto& [field, value] : request.headers)
            if (http::same_name(field, name)) joined += joined.empty() ? value : ", " + value;
        return joined;
    };
    const tenant::RequestFacts facts{request.headers.find("Host").value_or(""), request.path, header};
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

http::Upgrade switching(const realtime::ws::Accepted& accepted, http::Takeover takeover) {
    http::Upgrade upgrade;
    upgrade.headers.add("Upgrade", "websocket");
    upgrade.headers.add("Sec-WebSocket-Accept", accepted.accept);
    upgrade.headers.add("Sec-WebSocket-Protocol", accepted.protocol);
    upgrade.takeover = std::move(takeover);
    return upgrade;
}

/// Opens and closes at once, with a code that says not to come back.
http::Upgrade turning_away(const realtime::ws::Accepted& accepted, const http::TenantRefusal& refusal) {
    using realtime::ws::CloseCode;
    std::string frame;
    realtime::ws::append_close(frame, refusal.status == 403 ? CloseCode::suspended : CloseCode::unknown_tenant,
                               refusal.detail);
    return switching(accepted, [frame = std::move(frame)](net::Stream stream, std::string) {
        stream.write_some(std::as_bytes(std::span(frame)));  // an empty socket takes it whole, or the peer is gone
        stream.shutdown_write();
    });
}

/// One identity per tenant for all who come without a token. Any thread; grows with the tenants.
class Visitors {
public:
    std::shared_ptr<const identity::Identity> of(const tenant::TenantId& tenant) {
        const std::scoped_lock lock(mutex_);
        auto& visitor = known_[tenant];
        if (!visitor) visitor = identity::Identity::anonymous(tenant);
        return visitor;
    }

private:
    std::mutex mutex_;
    std::map<tenant::TenantId, std::shared_ptr<const identity::Identity>> known_;  // shared with the connections
};

struct Doorway {
    std::shared_ptr<realtime::Hub> hub;
    Visitors visitors;
};

http::UpgradeDecision decide(RequestContext& context, const std::shared_ptr<Doorway>& doorway) {
    const http::Request& request = context.request;
    std::vector<realtime::ws::HeaderView> fields;
    fields.reserve(request.headers.size());
    for (const auto& [name, value] : request.headers)
        fields.push_back({name, value});
    const realtime::ws::UpgradeRequest head{request.method, request.http_1_0 ? 0 : 1, fields};
    const auto accepted = realtime::ws::evaluate(head, {.protocols = {realtime::ws::kSluiceV1}});
    if (!accepted) return refusal_of(context, accepted.error());
    if (context.tenant_refusal && context.tenant_refusal->status != 400)
        return turning_away(*accepted, *context.tenant_refusal);
    if (context.tenant_refusal) return http::problem(context, 400, context.tenant_refusal->detail);
    if (!context.tenant) return http::problem(context, 400, "the request names no tenant; connect to /t/<tenant>/live");
    if (const auto after = doorway->hub->busy()) {
        Response busy =
            http::problem(context, 503, "the server has no room for another connection; come back after Retry-After");
        busy.headers.add("Retry-After", fmt::format("{}", after->count()));
        return busy;
    }
    auto who = doorway->visitors.of(*context.tenant);
    return switching(*accepted, [hub = doorway->hub, who = std::move(who)](net::Stream stream, std::string leftover) {
        hub->adopt(std::move(stream), std::move(leftover), who, realtime::Endpoint::channels());
    });
}

runtime::Task<http::UpgradeDecision> decide_later(RequestContext& context, std::shared_ptr<Doorway> doorway) {
    co_return decide(context, doorway);
}

}  // namespace

http::TenantResolver tenant_resolver(std::shared_ptr<const tenant::TenantRegistry> tenants,
                                     std::shared_ptr<const db::DataSourceRegistry> sources) {
    const tenant::Strategy strategy = tenant::all_of({tenant::by_header("X-Tenant"), tenant::by_path_prefix("/t/")});
    return [=](const http::Request& request) { return bind(*tenants, *sources, strategy, request); };
}

http::UpgradeHandler live_channels(std::shared_ptr<realtime::Hub> hub) {
    auto doorway = std::make_shared<Doorway>();  // shared by the requests in progress
    doorway->hub = std::move(hub);
    return [doorway](RequestContext& context) { return decide_later(context, doorway); };
}

}  // namespace sluice::app::internal
