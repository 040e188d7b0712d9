#include "sluice/db/pin.hpp"

#include "sluice/core/mutant.hpp"
#include "sluice/db/unit_of_work.hpp"

namespace sluice::db {

void ReadAfterWritePin::follow(UnitOfWork& unit) {
    state_.fetch_add(kOpenUnit, std::memory_order_relaxed);
    unit.after_commit([this] {
        state_.fetch_or(kWritten, std::memory_order_relaxed);  // first: no reader may find the pin gone
        state_.fetch_sub(kOpenUnit, std::memory_order_relaxed);
    });
    unit.after_rollback([this] {
        if (core::mutant("pin_kept_by_rollback")) state_.fetch_or(kWritten, std::memory_order_relaxed);
        state_.fetch_sub(kOpenUnit, std::memory_order_relaxed);
    });
}

}  // namespace sluice::db
