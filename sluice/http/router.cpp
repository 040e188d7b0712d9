#include "sluice/http/router.hpp"

#include <algorithm>
#include <set>
#include <stdexcept>

#include <fmt/format.h>

#include "sluice/core/assert.hpp"
#include "sluice/http/internal/target.hpp"

namespace sluice::http {
namespace {

std::vector<std::string_view> segments_of(std::string_view path) {
    std::vector<std::string_view> segments;
    std::size_t at = 1;
    while (at <= path.size()) {
        const auto end = std::min(path.find('/', at), path.size());
        segments.push_back(path.substr(at, end - at));
        at = end + 1;
    }
    return segments;
}

bool is_parameter(std::string_view segment) {
    return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

std::string_view parameter_name(std::string_view segment) {
    return segment.substr(1, segment.size() - 2);
}

void check_pattern(std::string_view pattern) {
    std::set<std::string_view> names;
    bool well_formed = pattern.starts_with('/');
    for (const auto segment : segments_of(pattern)) {
        if (is_parameter(segment))
            well_formed &= names.insert(parameter_name(segment)).second;
        else
            well_formed &= segment.find_first_of("{}?#") == segment.npos;
    }
    if (!well_formed)
        throw std::invalid_argument(
            fmt::format("route '{}': expected '/literal/{{name}}' with every name once", pattern));
}

/// Two patterns clash when every request of one could be one of the other's.
bool same_shape(std::string_view a, std::string_view b) {
    return std::ranges::equal(segments_of(a), segments_of(b), [](std::string_view x, std::string_view y) {
        return is_parameter(x) || is_parameter(y) ? is_parameter(x) && is_parameter(y) : x == y;
    });
}

bool fits(std::string_view pattern, const std::vector<std::string_view>& path,
          std::map<std::string, std::string>& parameters) {
    const auto segments = segments_of(pattern);
    if (segments.size() != path.size()) return false;
    for (std::size_t i = 0; i < segments.size(); ++i) {
        if (is_parameter(segments[i])) {
            if (path[i].empty()) return false;
            parameters.emplace(parameter_name(segments[i]), internal::percent_decode(path[i]));
        } else if (segments[i] != path[i]) {
            return false;
        }
    }
    return true;
}

std::size_t parameter_count(const Route& route) {
    return static_cast<std::size_t>(std::ranges::count(route.pattern, '{'));
}

bool answers(const Route& route, std::string_view method) {
    return route.method == method || (method == "HEAD" && route.method == "GET");
}

}  // namespace

struct Router::State {
    std::vector<std::unique_ptr<Route>> routes;  // literal segments before parameters
    TenantResolver tenants;
    Handler fallback;
};

Router::Router() : state_(std::make_unique<State>()) {}
Router::~Router() = default;
Router::Router(Router&&) noexcept = default;
Router& Router::operator=(Router&&) noexcept = default;

void Router::insert(Route route) {
    check_pattern(route.pattern);
    for (const auto& other : state_->routes) {
        if (other->method == route.method && same_shape(other->pattern, route.pattern))
            throw std::invalid_argument(fmt::format("route '{} {}' clashes with '{} {}'", route.method, route.pattern,
                                                    other->method, other->pattern));
    }
    const auto more_parameters = [&](const auto& other) { return parameter_count(*other) > parameter_count(route); };
    const auto place = std::ranges::find_if(state_->routes, more_parameters);
    state_->routes.insert(place, std::make_unique<Route>(std::move(route)));
}

void Router::add(std::string method, std::string pattern, Handler handler, Tenancy tenancy) {
    insert(Route{std::move(method), std::move(pattern), tenancy, std::move(handler)});
}

void Router::websocket(std::string pattern, UpgradeHandler handler, Tenancy tenancy) {
    insert(Route{"GET", std::move(pattern), tenancy, std::move(handler)});
}

void Router::fallback(Handler handler) {
    state_->fallback = std::move(handler);
}
void Router::tenants(TenantResolver resolver) {
    state_->tenants = std::move(resolver);
}
const TenantResolver& Router::tenants() const noexcept {
    return state_->tenants;
}
const Handler& Router::fallback() const noexcept {
    return state_->fallback;
}

Match Router::match(std::string_view method, std::string_view path) const {
    Match match;
    const auto segments = segments_of(path);
    std::set<std::string> allowed;
    for (const auto& route : state_->routes) {
        std::map<std::string, std::string> parameters;
        if (!fits(route->pattern, segments, parameters)) continue;
        if (answers(*route, method)) {
            match.route = route.get();
            match.parameters = std::move(parameters);
            return match;
        }
        allowed.insert(route->method);
        if (route->method == "GET") allowed.insert("HEAD");
    }
    match.allow = fmt::format("{}", fmt::join(allowed, ", "));
    return match;
}

std::vector<std::string> Router::patterns() const {
    std::vector<std::string> all;
    for (const auto& route : state_->routes)
        all.push_back(route->method + " " + route->pattern);
    return all;
}

std::optional<Response> Router::refuse_media_type(const RequestContext& request) {
    const auto type = request.request.headers.find("Content-Type");
    const auto bare = type ? type->substr(0, type->find(';')) : std::string_view{};
    if (!type || same_name(bare, "application/json")) return std::nullopt;
    return problem(request, 415, fmt::format("Content-Type: '{}' is not read here; send application/json", *type));
}

const std::string& RequestContext::parameter(const std::string& name) const {
    const auto found = parameters.find(name);
    SLUICE_ASSERT(found != parameters.end(), "the route declares no parameter '{}'", name);
    return found->second;
}

}  // namespace sluice::http
