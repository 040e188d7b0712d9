// The App's own routes: health, live channels, tenant resolution, static files.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "sluice/db/registry.hpp"
#include "sluice/http/router.hpp"
#include "sluice/realtime/hub.hpp"
#include "sluice/tenant/registry.hpp"

namespace sluice::app::internal {

/// What answers need to know of the process. Shared by all routes; thread-safe.
struct Health {
    std::atomic<bool> ready{false};
};

/// Header `X-Tenant` or path prefix `/t/<tenant>/`; both must agree.
[[nodiscard]] http::TenantResolver tenant_resolver(std::shared_ptr<const tenant::TenantRegistry> tenants,
                                                   std::shared_ptr<const db::DataSourceRegistry> sources);

/// `GET /live` with a tenant: a WebSocket that speaks sluice.v1. Pages of other hosts than `origins` and the request's
/// own are refused.
[[nodiscard]] http::UpgradeHandler live_channels(std::shared_ptr<realtime::Hub> hub, std::vector<std::string> origins);

/// `/healthz` and `/readyz`.
void add_health(http::Router& router, std::shared_ptr<const Health> health);
/// The admin listener: health, and `/metrics` in Prometheus' text format.
[[nodiscard]] http::Router admin_routes(std::shared_ptr<const Health> health, const core::Metrics& metrics);

}  // namespace sluice::app::internal
