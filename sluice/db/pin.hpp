// Read-after-write within one request: once a unit wrote, reads go to the primary.
#pragma once

#include <atomic>

#include "sluice/db/connection.hpp"

namespace sluice::db {

/// One per request context: one atomic flag, no lock, no allocation. Thread-safe.
class ReadAfterWritePin {
public:
    /// Write answers write and records it. Read answers write once one is recorded, else read.
    AccessIntent apply(AccessIntent intent) noexcept {
        if (intent == AccessIntent::write) written_.store(true, std::memory_order_relaxed);
        return written_.load(std::memory_order_relaxed) ? AccessIntent::write : AccessIntent::read;
    }
    [[nodiscard]] bool pinned() const noexcept { return written_.load(std::memory_order_relaxed); }

private:
    std::atomic<bool> written_{false};
};

}  // namespace sluice::db
