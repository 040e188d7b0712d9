#include "sluice/identity/policy.hpp"

#include <algorithm>

namespace sluice::identity {

Policy& Policy::allow(std::string action, Predicate rule) {
    rules_.emplace_back(std::move(action), std::move(rule));
    return *this;
}

bool Policy::permits(std::string_view action, const Identity& who, const Resource& what) const {
    if (who.tenant != what.tenant) return false;
    return std::ranges::any_of(rules_,
                               [&](const auto& rule) { return rule.first == action && rule.second(who, what); });
}

bool anyone_of_the_tenant(const Identity& who, const Resource& what) {
    return who.tenant == what.tenant;
}

}  // namespace sluice::identity
