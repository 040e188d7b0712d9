#include "sluice/tenant/registry.hpp"

#include <atomic>
#include <functional>
#include <mutex>
#include <utility>

namespace sluice::tenant {
namespace {

struct Tenants {
    std::map<TenantId, std::shared_ptr<const TenantConfig>> by_id;
    std::uint64_t version = 0;
};

}  // namespace

struct TenantRegistry::State {
    std::shared_ptr<const Tenants> current() const { return std::atomic_load(&tenants); }

    /// Copies, changes and swaps; `change` answers whether there was anything to change.
    bool swap(const std::function<bool(Tenants&)>& change) {
        const std::scoped_lock lock(writers);
        auto next = std::make_shared<Tenants>(*current());
        if (!change(*next)) return false;
        ++next->version;
        std::atomic_store(&tenants, std::shared_ptr<const Tenants>(std::move(next)));
        return true;
    }

    bool set_status(const TenantId& id, Status status) {
        return swap([&](Tenants& all) {
            const auto found = all.by_id.find(id);
            if (found == all.by_id.end()) return false;
            TenantConfig changed = *found->second;
            changed.status = status;
            found->second = std::make_shared<const TenantConfig>(std::move(changed));
            return true;
        });
    }

    std::mutex writers;
    // The free functions and not std::atomic<shared_ptr>: libstdc++ 12's is reported by the thread sanitizer.
    std::shared_ptr<const Tenants> tenants = std::make_shared<const Tenants>();
};

TenantRegistry::TenantRegistry() : state_(std::make_unique<State>()) {}
TenantRegistry::~TenantRegistry() = default;

void TenantRegistry::upsert(TenantConfig config) {
    auto entry = std::make_shared<const TenantConfig>(std::move(config));
    state_->swap([&](Tenants& all) {
        all.by_id.insert_or_assign(entry->id, entry);
        return true;
    });
}

bool TenantRegistry::suspend(const TenantId& id) {
    return state_->set_status(id, Status::suspended);
}
bool TenantRegistry::resume(const TenantId& id) {
    return state_->set_status(id, Status::active);
}

bool TenantRegistry::remove(const TenantId& id) {
    return state_->swap([&](Tenants& all) { return all.by_id.erase(id) > 0; });
}

std::shared_ptr<const TenantConfig> TenantRegistry::find(const TenantId& id) const {
    const auto tenants = state_->current();
    const auto found = tenants->by_id.find(id);
    return found == tenants->by_id.end() ? nullptr : found->second;
}

std::vector<std::shared_ptr<const TenantConfig>> TenantRegistry::list() const {
    std::vector<std::shared_ptr<const TenantConfig>> all;
    for (const auto& [id, config] : state_->current()->by_id)
        all.push_back(config);
    return all;
}

std::uint64_t TenantRegistry::version() const noexcept {
    return state_->current()->version;
}

}  // namespace sluice::tenant
