// The tenants of this process: looked up by every request, changed at run time.
//
//     tenant::TenantRegistry registry;
//     registry.upsert({.id = *TenantId::parse("shop_a"), .display_name = "Alder & Co", .data_source = "shop_a"});
//     std::shared_ptr<const TenantConfig> shop = registry.find(*TenantId::parse("shop_a"));
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sluice/tenant/tenant_id.hpp"

namespace sluice::tenant {

enum class Status : std::uint8_t { active, suspended };

struct TenantConfig {
    TenantId id;
    std::string display_name;
    std::string data_source;  ///< a name in db::DataSourceRegistry
    Status status = Status::active;
};

/// Thread-safe. A look-up reads one immutable snapshot; a change swaps it and is seen by the next look-up.
class TenantRegistry {
public:
    TenantRegistry();
    ~TenantRegistry();

    /// Adds a tenant, or takes the place of the one with its id.
    void upsert(TenantConfig config);
    /// Answer whether there is such a tenant.
    bool suspend(const TenantId& id);
    bool resume(const TenantId& id);
    bool remove(const TenantId& id);

    /// Null if there is none. Suspended ones are answered: the caller refuses them.
    [[nodiscard]] std::shared_ptr<const TenantConfig> find(const TenantId& id) const;
    /// By id.
    [[nodiscard]] std::vector<std::shared_ptr<const TenantConfig>> list() const;
    /// Rises by one with every change.
    [[nodiscard]] std::uint64_t version() const noexcept;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace sluice::tenant
