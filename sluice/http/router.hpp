// Typed routes. A body is decoded before the handler runs; what does not fit is answered with the path of the bad
// member.
//
//     router.get("/articles", list_articles);                          // Task<Response>(RequestContext&)
//     router.post<PlaceOrder>("/orders", place_order);                 // Task<Response>(RequestContext&, PlaceOrder)
//     router.get("/orders/{id}", show_order);                          // request.parameter("id")
#pragma once

#include <cstddef>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sluice/core/json.hpp"
#include "sluice/http/message.hpp"
#include "sluice/http/problem.hpp"
#include "sluice/http/request_context.hpp"
#include "sluice/http/upgrade.hpp"
#include "sluice/runtime/task.hpp"

namespace sluice::http {

using Handler = std::function<runtime::Task<Response>(RequestContext&)>;

/// Whether a route needs a tenant. `required` routes are refused when the request names none, an unknown or a suspended
/// one.
enum class Tenancy : std::uint8_t { required, none };

/// Whose request it is, and the path that is left once a tenant prefix was taken off.
struct TenantBinding {
    std::optional<tenant::TenantId> tenant;
    std::shared_ptr<db::DataSource> source;  // shared with the registry
    std::string path;
};
/// Answers an empty binding for a request that names no tenant. Called on any shard; must be thread-safe.
using TenantResolver = std::function<std::expected<TenantBinding, TenantRefusal>(const Request&)>;

/// What a route leads to.
struct Route {
    std::string method;
    std::string pattern;
    Tenancy tenancy = Tenancy::required;
    std::variant<Handler, UpgradeHandler> handler;
};

/// Where a request leads: a route with its parameters, or the reason why not.
struct Match {
    const Route* route = nullptr;
    std::map<std::string, std::string> parameters;
    std::string allow;  ///< the methods of the path when only the method is wrong
};

/// Filled before the server starts, then only read: `match` is thread-safe.
class Router {
public:
    Router();
    ~Router();
    Router(Router&&) noexcept;
    Router& operator=(Router&&) noexcept;

    /// Patterns are literal segments and `{name}`. Throws std::invalid_argument naming the pattern that is malformed or
    /// taken by another route of that method.
    void add(std::string method, std::string pattern, Handler handler, Tenancy tenancy = Tenancy::required);

    void get(std::string pattern, Handler handler, Tenancy tenancy = Tenancy::required) {
        add("GET", std::move(pattern), std::move(handler), tenancy);
    }
    template <class Body, class Typed>
    void post(std::string pattern, Typed handler, Tenancy tenancy = Tenancy::required) {
        add("POST", std::move(pattern), decoding<Body>(std::move(handler)), tenancy);
    }
    template <class Body, class Typed>
    void put(std::string pattern, Typed handler, Tenancy tenancy = Tenancy::required) {
        add("PUT", std::move(pattern), decoding<Body>(std::move(handler)), tenancy);
    }
    void del(std::string pattern, Handler handler, Tenancy tenancy = Tenancy::required) {
        add("DELETE", std::move(pattern), std::move(handler), tenancy);
    }
    void websocket(std::string pattern, UpgradeHandler handler, Tenancy tenancy = Tenancy::required);
    /// Answers GETs that no route takes, tenants aside (static files).
    void fallback(Handler handler);

    void tenants(TenantResolver resolver);
    [[nodiscard]] const TenantResolver& tenants() const noexcept;
    [[nodiscard]] const Handler& fallback() const noexcept;

    /// HEAD finds what GET finds.
    [[nodiscard]] Match match(std::string_view method, std::string_view path) const;
    [[nodiscard]] std::vector<std::string> patterns() const;

private:
    template <class Body, class Typed>
    static Handler decoding(Typed handler) {
        return [handler = std::move(handler)](RequestContext& request) -> runtime::Task<Response> {
            return decode_and_call<Body>(handler, request);
        };
    }
    template <class Body, class Typed>
    static runtime::Task<Response> decode_and_call(const Typed& handler, RequestContext& request) {
        if (auto refused = refuse_media_type(request)) co_return std::move(*refused);
        auto body = core::json::decode<Body>(request.request.body);
        if (!body) co_return problem(request, 400, core::json::to_string(body.error()));
        co_return co_await handler(request, std::move(*body));
    }
    static std::optional<Response> refuse_media_type(const RequestContext& request);
    void insert(Route route);

    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace sluice::http
