// From a complete request to its answer: whose it is, which route it takes, and its handler within the request's time.
// Knows no socket.
#pragma once

#include <exception>
#include <expected>
#include <functional>
#include <optional>
#include <string>

#include "sluice/http/internal/shared.hpp"
#include "sluice/http/internal/watch.hpp"
#include "sluice/http/request_context.hpp"
#include "sluice/http/upgrade.hpp"
#include "sluice/runtime/shard.hpp"
#include "sluice/runtime/task.hpp"

namespace sluice::http::internal {

/// Serves the requests of one connection, one at a time, on its shard. What it refers to outlives it.
class Dispatcher {
public:
    Dispatcher(ServerShared& shared, runtime::Shard& shard, Running& running)
        : shared_(shared), shard_(shard), running_(running), watch_(shard.executor()) {}

    /// Never throws but for cancellation of the connection: failures become answers.
    runtime::Task<UpgradeDecision> run(RequestContext& context);

private:
    /// Whose request it is and the path without the tenant's prefix.
    struct Bound {
        std::string path;
        std::optional<TenantRefusal> refusal;
    };
    Bound bind_tenant(RequestContext& context) const;
    std::optional<Response> refuse_tenant(const RequestContext& context, const Bound& bound) const;
    Response without_route(const RequestContext& context, const Match& match, const std::string& path) const;
    std::optional<Response> refuse_upgrade(const RequestContext& context) const;
    Response failure(const RequestContext& context, const std::exception_ptr& error) const;
    Response timeout(const RequestContext& context) const;
    void allow_origin(const RequestContext& context, UpgradeDecision& decision) const;

    runtime::Task<UpgradeDecision> route(RequestContext& context);
    template <class T>
    runtime::Task<std::expected<T, Response>> call(RequestContext& context,
                                                   const std::function<runtime::Task<T>(RequestContext&)>& handler);
    template <class T>
    runtime::Task<T> within_request_time(RequestContext& context,
                                         const std::function<runtime::Task<T>(RequestContext&)>& handler);

    ServerShared& shared_;
    runtime::Shard& shard_;
    Running& running_;
    Watch watch_;
    OriginVerdict origin_ = OriginVerdict::absent;  ///< of the request in progress
};

}  // namespace sluice::http::internal
