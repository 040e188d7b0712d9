// Who a request or a connection speaks for: one compact record per token, shared by everything opened with it.
//
//     auto visitor = identity::Identity::anonymous(tenant);                       // a tenant that is public in so many
//     words auto user = std::make_shared<const identity::Identity>(identity::Identity{tenant, "u-17", "token-9",
//     expiry, {}});
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/core/clock.hpp"
#include "sluice/tenant/tenant_id.hpp"

namespace sluice::identity {

/// Verified facts, nothing else: whoever makes one has checked the token, or has decided that the tenant is public.
/// Immutable once shared.
struct Identity {
    tenant::TenantId tenant;
    std::string subject;                                      ///< empty: nobody in particular
    std::string token_id;                                     ///< empty: made without a token
    std::optional<core::SystemTime> expires_at;               ///< nothing: never
    std::vector<std::pair<std::string, std::string>> claims;  ///< only those that policies and hooks name

    /// The value of `name`, or nothing.
    [[nodiscard]] std::optional<std::string_view> claim(std::string_view name) const noexcept;

    /// Someone of `tenant` without a subject.
    [[nodiscard]] static std::shared_ptr<const Identity> anonymous(tenant::TenantId tenant);
};

}  // namespace sluice::identity
