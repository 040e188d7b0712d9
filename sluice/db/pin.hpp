// Read-after-write within one request: while a unit of work is open and once one has committed, reads go to the
// primary.
//
//     db::ReadAfterWritePin pin;                                             // in the request's context
//     co_await registry.transaction("shop_a", {}, pin, place_order);
//     auto connection = co_await registry.acquire("shop_a", db::AccessIntent::read, pin);   // sees the order
#pragma once

#include <atomic>
#include <cstdint>

#include "sluice/db/connection.hpp"

namespace sluice::db {

class UnitOfWork;

/// One per request context: one atomic word, no lock, no allocation. Thread-safe. It must outlive the units that it
/// follows.
class ReadAfterWritePin {
public:
    /// Write, which is a connection taken by hand, answers write and pins at once: nobody knows what will be done with
    /// it. Read answers write while pinned, else read.
    AccessIntent apply(AccessIntent intent) noexcept {
        if (intent == AccessIntent::write) state_.fetch_or(kWritten, std::memory_order_relaxed);
        return pinned() ? AccessIntent::write : AccessIntent::read;
    }
    /// Pins while `unit` is open and from its commit on; rolled back, it leaves no pin. When nobody knows whether it
    /// committed the pin stays. Call it once, first thing in the unit's body.
    void follow(UnitOfWork& unit);
    [[nodiscard]] bool pinned() const noexcept { return state_.load(std::memory_order_relaxed) != 0; }

private:
    static constexpr std::uint32_t kWritten = 1;
    static constexpr std::uint32_t kOpenUnit = 2;  // the other bits count units

    std::atomic<std::uint32_t> state_{0};
};

}  // namespace sluice::db
