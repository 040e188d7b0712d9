// What a handler gets: the request, whose it is, and the database it may use.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "sluice/core/clock.hpp"
#include "sluice/db/data_source.hpp"
#include "sluice/db/pin.hpp"
#include "sluice/http/message.hpp"
#include "sluice/tenant/tenant_id.hpp"

namespace sluice::http {

/// Why a request belongs to no tenant that it may have.
struct TenantRefusal {
    unsigned status = 400;
    std::string detail;
    std::string path;  ///< what is left of the path: a route without tenancy is served all the same
};

/// Lives as long as its request; used on the connection's shard.
struct RequestContext {
    Request request;
    std::string id;                                 ///< unique; stands in problems, logs and the X-Request-Id header
    std::map<std::string, std::string> parameters;  ///< of the route's path, decoded
    core::SteadyTime deadline;                      ///< when the request times out
    std::optional<tenant::TenantId> tenant;         ///< set on routes that need one
    std::shared_ptr<db::DataSource> source;         ///< the tenant's, shared with the registry
    std::optional<TenantRefusal> tenant_refusal;    ///< on routes without tenancy that ask for one themselves
    db::ReadAfterWritePin pin;

    /// A path parameter that the route declares; asking for another is a programming error.
    [[nodiscard]] const std::string& parameter(const std::string& name) const;
};

}  // namespace sluice::http
