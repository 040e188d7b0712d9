// Which tenant a request names: by header, subdomain, path prefix or host, alone or together. Pure.
//
//     const tenant::Strategy strategy = tenant::all_of({tenant::by_header("X-Tenant"), tenant::by_path_prefix("/t/")});
//     const tenant::Named named = strategy({.host = "shop.example", .path = "/t/shop_a/orders", .header = lookup});
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/tenant/registry.hpp"
#include "sluice/tenant/tenant_id.hpp"

namespace sluice::tenant {

/// What a strategy may look at. Views: live as long as the call.
struct RequestFacts {
    std::string_view host;  ///< as in the Host header, port and case as sent
    std::string_view path;  ///< percent-encoded, without query
    /// The field's value. A field that came twice must be answered joined by ", " (RFC 9110), which no tenant id
    /// matches.
    std::function<std::optional<std::string_view>(std::string_view)> header;
};

/// What one strategy found. `text` is empty when the request names no tenant that way.
struct Named {
    std::optional<std::string> text;  ///< unchecked
    std::string_view where;           ///< "header X-Tenant", …: for messages
    std::string path;                 ///< what is left of the path
    std::string advice;               ///< without `text`: how a request would name one
    bool conflicting = false;         ///< two places name different tenants; `text` is one of them
};

using Strategy = std::function<Named(const RequestFacts&)>;

[[nodiscard]] Strategy by_header(std::string name);
/// `shop_a.example.com` names `shop_a` for the base domain `example.com`; deeper or other hosts name none.
[[nodiscard]] Strategy by_subdomain(std::string base_domain);
/// `/t/shop_a/orders` names `shop_a` for the prefix `/t/` and leaves `/orders`.
[[nodiscard]] Strategy by_path_prefix(std::string prefix);
/// Whole host names (without port, any case) to tenants.
[[nodiscard]] Strategy by_host(std::map<std::string, TenantId> hosts);
/// Asks every one in order. Those that name a tenant must agree, byte for byte.
[[nodiscard]] Strategy all_of(std::vector<Strategy> strategies);
/// Requests that name no tenant belong to `fallback`. One that names an unknown or suspended tenant is refused as ever.
[[nodiscard]] Strategy or_default(Strategy strategy, TenantId fallback);

enum class RefusalKind : std::uint8_t { missing, malformed, contradictory, unknown, suspended };

struct Refusal {
    RefusalKind kind = RefusalKind::missing;
    std::string detail;  ///< what, where, what to do
    std::string path;    ///< what is left of the path
};

struct Resolved {
    std::shared_ptr<const TenantConfig> tenant;  // shared with the registry's snapshot
    std::string path;
};

/// Who the request belongs to, or why it is refused. An unknown or suspended tenant is never replaced by another.
[[nodiscard]] std::expected<Resolved, Refusal> resolve(const TenantRegistry& registry, const Strategy& strategy,
                                                       const RequestFacts& facts);

}  // namespace sluice::tenant
