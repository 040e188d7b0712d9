#include "sluice/tenant/strategy.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include <fmt/format.h>

namespace sluice::tenant {
namespace {

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return result;
}

std::string host_name(std::string_view host) {
    return lower(host.substr(0, host.find(':')));
}

Named nobody(std::string_view where, const RequestFacts& facts) {
    Named named;
    named.where = where;
    named.path = std::string(facts.path);
    return named;
}

Refusal refuse(RefusalKind kind, std::string detail, const Named& named) {
    return {kind, std::move(detail), named.path};
}

}  // namespace

Strategy by_header(std::string name) {
    const auto where = std::make_shared<const std::string>("header " + name);  // outlives the results that view it
    return [name = std::move(name), where](const RequestFacts& facts) {
        const auto value = facts.header ? facts.header(name) : std::nullopt;
        Named named = nobody(*where, facts);
        if (value)
            named.text = std::string(*value);
        else
            named.advice = fmt::format("send the header {}", name);
        return named;
    };
}

Strategy by_subdomain(std::string base_domain) {
    return [suffix = "." + lower(base_domain)](const RequestFacts& facts) {
        Named named = nobody("subdomain", facts);
        std::string host = host_name(facts.host);
        const bool below = host.ends_with(suffix);
        host.resize(below ? host.size() - suffix.size() : 0);
        if (!host.empty() && !host.contains('.'))
            named.text = std::move(host);
        else
            named.advice = fmt::format("use the host <tenant>{}", suffix);
        return named;
    };
}

Strategy by_path_prefix(std::string prefix) {
    return [prefix = std::move(prefix)](const RequestFacts& facts) {
        Named named = nobody("path prefix", facts);
        if (!facts.path.starts_with(prefix)) {
            named.advice = fmt::format("put {}<tenant> before the path", prefix);
            return named;
        }
        const auto rest = facts.path.substr(prefix.size());
        const auto slash = std::min(rest.find('/'), rest.size());
        named.text = std::string(rest.substr(0, slash));
        named.path = slash == rest.size() ? "/" : std::string(rest.substr(slash));
        return named;
    };
}

Strategy by_host(std::map<std::string, TenantId> hosts) {
    std::map<std::string, TenantId> lowered;
    for (const auto& [host, id] : hosts)
        lowered.emplace(lower(host), id);
    return [hosts = std::move(lowered)](const RequestFacts& facts) {
        Named named = nobody("host", facts);
        const auto found = hosts.find(host_name(facts.host));
        if (found != hosts.end())
            named.text = found->second.text();
        else
            named.advice = "use the host of a tenant";
        return named;
    };
}

Strategy all_of(std::vector<Strategy> strategies) {
    return [strategies = std::move(strategies)](const RequestFacts& facts) {
        Named result = nobody("request", facts);
        for (const Strategy& strategy : strategies) {
            Named one = strategy({facts.host, result.path, facts.header});
            result.path = std::move(one.path);
            result.conflicting |= one.conflicting;
            if (!one.text) {
                result.advice += (result.advice.empty() ? "" : " or ") + one.advice;
                continue;
            }
            result.conflicting |= result.text && *result.text != *one.text;
            if (!result.text) result.where = one.where;
            if (!result.text) result.text = std::move(one.text);
        }
        return result;
    };
}

Strategy or_default(Strategy strategy, TenantId fallback) {
    return [strategy = std::move(strategy), fallback = std::move(fallback)](const RequestFacts& facts) {
        Named named = strategy(facts);
        if (named.text) return named;
        named.text = fallback.text();
        named.where = "default";
        return named;
    };
}

std::expected<Resolved, Refusal> resolve(const TenantRegistry& registry, const Strategy& strategy,
                                         const RequestFacts& facts) {
    const Named named = strategy(facts);
    if (!named.text)
        return std::unexpected(
            refuse(RefusalKind::missing, fmt::format("the request names no tenant; {}", named.advice), named));
    if (named.conflicting)
        return std::unexpected(
            refuse(RefusalKind::contradictory, "two places of the request name different tenants; name one", named));
    const auto id = TenantId::parse(*named.text);
    if (!id)
        return std::unexpected(
            refuse(RefusalKind::malformed,
                   fmt::format("{}: a tenant is named by 1 to 48 characters of a-z, 0-9 and '_', the first no '_'",
                               named.where),
                   named));
    auto config = registry.find(*id);
    if (!config)
        return std::unexpected(
            refuse(RefusalKind::unknown, fmt::format("{}: there is no tenant '{}'", named.where, id->text()), named));
    if (config->status == Status::suspended)
        return std::unexpected(refuse(RefusalKind::suspended,
                                      fmt::format("{}: tenant '{}' is suspended", named.where, id->text()), named));
    return Resolved{std::move(config), named.path};
}

}  // namespace sluice::tenant
