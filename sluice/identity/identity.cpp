#include "sluice/identity/identity.hpp"

namespace sluice::identity {

std::optional<std::string_view> Identity::claim(std::string_view name) const noexcept {
    for (const auto& [key, value] : claims)
        if (key == name) return value;
    return std::nullopt;
}

std::shared_ptr<const Identity> Identity::anonymous(tenant::TenantId tenant) {
    return std::make_shared<const Identity>(Identity{std::move(tenant), {}, {}, std::nullopt, {}});
}

}  // namespace sluice::identity
