// The App's own routes: live channels and whose request it is.
#pragma once

#include <memory>

#include "sluice/db/registry.hpp"
#include "sluice/http/router.hpp"
#include "sluice/realtime/hub.hpp"
#include "sluice/tenant/registry.hpp"

namespace sluice::app::internal {

/// Header `X-Tenant` or path prefix `/t/<tenant>/`; both must agree.
[[nodiscard]] http::TenantResolver tenant_resolver(std::shared_ptr<const tenant::TenantRegistry> tenants,
                                                   std::shared_ptr<const db::DataSourceRegistry> sources);

/// `GET /live` with a tenant: a WebSocket that speaks sluice.v1. An unknown or suspended tenant is told after the
/// handshake, by 4404 or 4403: a browser cannot read the status of a refused one and would knock for ever. The route is
/// one without tenancy.
[[nodiscard]] http::UpgradeHandler live_channels(std::shared_ptr<realtime::Hub> hub);

}  // namespace sluice::app::internal
