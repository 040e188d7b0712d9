// What an identity may do: default deny, rules as predicates without I/O. Routes, channels and admin actions ask the
// same code.
//
//     identity::Policy policy;
//     policy.allow("subscribe", identity::anyone_of_the_tenant);
//     policy.permits("subscribe", visitor, {tenant, "projection", "stock_level/A-1"});     // true
//     policy.permits("publish", visitor, {tenant, "projection", "stock_level/A-1"});       // false: no rule
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/identity/identity.hpp"

namespace sluice::identity {

/// What is asked for. A view: lives as long as the question.
struct Resource {
    const tenant::TenantId& tenant;
    std::string_view kind;  ///< a channel's namespace, "route", …
    std::string_view name;  ///< within the kind
};

/// Decides from its arguments alone: no I/O, no clock, must not throw.
using Predicate = std::function<bool(const Identity&, const Resource&)>;

/// A set of rules, immutable once shared. An action without a rule is refused, and so is every resource of a tenant
/// other than the identity's, whatever the rules say.
class Policy {
public:
    /// Adds a rule; an action is permitted when one of its rules is. Returns itself.
    Policy& allow(std::string action, Predicate rule);
    [[nodiscard]] bool permits(std::string_view action, const Identity& who, const Resource& what) const;

private:
    std::vector<std::pair<std::string, Predicate>> rules_;
};

/// The predicate of a public tenant: everybody whose identity names it.
[[nodiscard]] bool anyone_of_the_tenant(const Identity& who, const Resource& what);

}  // namespace sluice::identity
