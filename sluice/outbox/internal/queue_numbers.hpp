// Which number each queue has, as far as the units of this process have found out. A queue's number is given once and
// never changes, so a message that carries it needs no look at sluice_queue. On MariaDB that look takes a shared lock
// on the queue's row: without it 16 connections that publish do a quarter more units.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>

namespace sluice::outbox {

/// Thread-safe.
class QueueNumbers {
public:
    [[nodiscard]] std::optional<std::int64_t> find(std::string_view queue) const {
        const std::shared_lock lock(mutex_);
        const auto found = numbers_.find(queue);
        return found == numbers_.end() ? std::nullopt : std::optional(found->second);
    }
    /// What a committed unit was told.
    void learn(std::string_view queue, std::int64_t number) {
        const std::unique_lock lock(mutex_);
        numbers_.insert_or_assign(std::string(queue), number);
    }

private:
    mutable std::shared_mutex mutex_;
    std::map<std::string, std::int64_t, std::less<>> numbers_;  // guarded by mutex_
};

}  // namespace sluice::outbox
