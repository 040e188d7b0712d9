#include "sluice/http/internal/dispatch.hpp"

#include <utility>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>

#include <fmt/format.h>

#include "sluice/core/error.hpp"
#include "sluice/core/mutant.hpp"
#include "sluice/http/problem.hpp"

namespace sluice::http::internal {
namespace {

using runtime::Task;

constexpr std::string_view kAllMethods = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT";
constexpr std::string_view kPageHeaders = "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, X-Tenant";

bool is_upgrade(const Match& match) {
    return match.route != nullptr && std::holds_alternative<UpgradeHandler>(match.route->handler);
}

bool is_preflight(const Request& request) {
    return request.method == "OPTIONS" && request.headers.find("Access-Control-Request-Method").has_value();
}

}  // namespace

Task<UpgradeDecision> Dispatcher::run(RequestContext& context) {
    const auto& request = context.request;
    const bool one_origin = request.headers.count("Origin") < 2;  // a page sends one; of two, either may be a lie
    origin_ = one_origin ? shared_.settings.origins.judge(request.headers.find("Origin"),
                                                          request.headers.find("Host").value_or(""))
                         : OriginVerdict::refused;
    UpgradeDecision decision;
    std::exception_ptr error;
    try {
        decision = co_await route(context);
    } catch (...) {
        error = std::current_exception();  // of the tenant resolver; handlers have a catch of their own
    }
    if (error) decision = failure(context, error);
    allow_origin(context, decision);
    co_return decision;
}

Task<UpgradeDecision> Dispatcher::route(RequestContext& context) {
    const Bound bound = bind_tenant(context);
    const Match match = shared_.router->match(context.request.method, bound.path);
    const bool changes = !is_safe_method(context.request.method) || is_upgrade(match);
    if (changes && origin_ == OriginVerdict::refused && !core::mutant("http_origin_unchecked"))
        co_return problem(context, 403,
                          "Origin: pages of this origin may not do that; the server's settings list those that may");
    if (match.route == nullptr) {
        const bool reads = context.request.method == "GET" || context.request.method == "HEAD";
        if (!reads || !match.allow.empty() || !shared_.router->fallback())
            co_return without_route(context, match, bound.path);
        auto answer = co_await call<Response>(context, shared_.router->fallback());
        co_return answer ? std::move(*answer) : std::move(answer.error());
    }
    context.parameters = match.parameters;
    if (match.route->tenancy == Tenancy::required) {
        if (auto refused = refuse_tenant(context, bound)) co_return std::move(*refused);
    }
    if (!is_upgrade(match)) {
        auto answer = co_await call<Response>(context, std::get<Handler>(match.route->handler));
        co_return answer ? std::move(*answer) : std::move(answer.error());
    }
    if (auto refused = refuse_upgrade(context)) co_return std::move(*refused);
    auto decision = co_await call<UpgradeDecision>(context, std::get<UpgradeHandler>(match.route->handler));
    if (!decision) co_return std::move(decision.error());
    co_return std::move(*decision);
}

Dispatcher::Bound Dispatcher::bind_tenant(RequestContext& context) const {
    if (!shared_.router->tenants()) return {context.request.path, std::nullopt};
    auto bound = shared_.router->tenants()(context.request);
    if (!bound) {
        std::string path = bound.error().path;
        context.tenant_refusal = bound.error();
        return {std::move(path), std::move(bound.error())};
    }
    context.tenant = std::move(bound->tenant);
    context.source = std::move(bound->source);
    return {std::move(bound->path), std::nullopt};
}

std::optional<Response> Dispatcher::refuse_tenant(const RequestContext& context, const Bound& bound) const {
    if (!shared_.router->tenants()) return std::nullopt;
    if (bound.refusal) return problem(context, bound.refusal->status, bound.refusal->detail);
    if (context.tenant) return std::nullopt;
    return problem(context, 400,
                   "the request names no tenant; send the header X-Tenant or put /t/<tenant> before the path");
}

Response Dispatcher::without_route(const RequestContext& context, const Match& match, const std::string& path) const {
    const auto& request = context.request;
    const std::string allow = path == "*" ? std::string(kAllMethods) : match.allow;
    if (allow.empty())
        return problem(context, 404, fmt::format("there is nothing at {}; the documentation lists the routes", path));
    Response answer = request.method == "OPTIONS"
                          ? Response::empty(204)
                          : problem(context, 405, fmt::format("{} is not for {}; use {}", request.method, path, allow));
    answer.headers.add("Allow", allow);
    if (is_preflight(request) && origin_ == OriginVerdict::allowed) {
        answer.headers.add("Access-Control-Allow-Methods", allow);
        answer.headers.add("Access-Control-Allow-Headers", std::string(kPageHeaders));
        answer.headers.add("Access-Control-Max-Age", "600");
    }
    return answer;
}

std::optional<Response> Dispatcher::refuse_upgrade(const RequestContext& context) const {
    if (shared_.draining.load(std::memory_order_relaxed)) {
        Response stopping = problem(context, 503, "the server is stopping; connect again after Retry-After");
        stopping.headers.add("Retry-After", "1");
        return stopping;
    }
    if (context.request.http_1_0) return problem(context, 400, "an upgrade needs HTTP/1.1");
    if (!context.request.body.empty()) return problem(context, 400, "a request for an upgrade has no body");
    return std::nullopt;
}

/// Listed pages may read the answer; pages of the host itself need no permission.
void Dispatcher::allow_origin(const RequestContext& context, UpgradeDecision& decision) const {
    auto* response = std::get_if<Response>(&decision);
    if (response == nullptr || !shared_.settings.origins.lists_any()) return;
    response->headers.add("Vary", "Origin");
    if (origin_ == OriginVerdict::allowed)
        response->headers.set("Access-Control-Allow-Origin", std::string(*context.request.headers.find("Origin")));
}

template <class T>
Task<std::expected<T, Response>> Dispatcher::call(RequestContext& context,
                                                  const std::function<Task<T>(RequestContext&)>& handler) {
    std::exception_ptr error;
    try {
        co_return co_await within_request_time(context, handler);
    } catch (...) {
        error = std::current_exception();
    }
    co_return std::unexpected(watch_.fired() ? timeout(context) : failure(context, error));
}

Response Dispatcher::timeout(const RequestContext& context) const {
    shared_.metrics.timeouts.add();
    return problem(context, 504, "the request took too long and was cancelled; what it had not committed is undone");
}

Response Dispatcher::failure(const RequestContext& context, const std::exception_ptr& error) const {
    Response failed = problem_of(context, error);
    if (failed.status >= 500)
        shared_.log.warn("request {} {} {}: {}", context.id, context.request.method, context.request.path,
                         core::describe(error));
    return failed;
}

/// The handler is a task of its own so that it can be cancelled without the connection.
template <class T>
Task<T> Dispatcher::within_request_time(RequestContext& context,
                                        const std::function<Task<T>(RequestContext&)>& handler) {
    boost::asio::cancellation_signal signal;
    running_.handlers.insert(&signal);
    watch_.arm(shared_.settings.request_time, [&signal] { signal.emit(boost::asio::cancellation_type::terminal); });
    std::exception_ptr error;
    std::optional<T> result;
    try {
        result.emplace(
            co_await boost::asio::co_spawn(shard_.executor(), handler(context),
                                           boost::asio::bind_cancellation_slot(signal.slot(), runtime::use_task)));
    } catch (...) {
        error = std::current_exception();
    }
    watch_.disarm();
    running_.handlers.erase(&signal);
    if (error) std::rethrow_exception(error);
    co_return std::move(*result);
}

}  // namespace sluice::http::internal
