// The connections of one shard by id. An id is shard, slot and the slot's generation, so a look-up is an index and a
// comparison; a slot whose generations are used up is retired, so no id comes twice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "sluice/core/assert.hpp"
#include "sluice/realtime/internal/connection.hpp"

namespace sluice::realtime {

inline constexpr std::uint32_t kSlotBits = 24;
inline constexpr std::uint32_t kShardBits = 8;

/// The shard that owns `id`, whether or not it still lives.
[[nodiscard]] constexpr std::uint32_t shard_of(ConnectionId id) noexcept {
    return static_cast<std::uint32_t>(id.value() >> kSlotBits) & ((1U << kShardBits) - 1);
}

class ConnectionTable {
public:
    explicit ConnectionTable(std::uint32_t shard) noexcept : shard_(shard) {
        SLUICE_ASSERT(shard < (1U << kShardBits), "at most {} shards have connections", 1U << kShardBits);
    }

    Connection& add() {
        std::uint32_t slot = 0;
        if (free_.empty()) {
            slot = static_cast<std::uint32_t>(slots_.size());
            SLUICE_ASSERT(slot < (1U << kSlotBits), "more than {} connections on a shard", 1U << kSlotBits);
            slots_.emplace_back();
        } else {
            slot = free_.back();
            free_.pop_back();
        }
        Slot& at = slots_[slot];
        at.connection = std::make_unique<Connection>();
        const std::uint64_t generation = ++at.generation;
        at.connection->id =
            ConnectionId(generation << (kSlotBits + kShardBits) | std::uint64_t{shard_} << kSlotBits | slot);
        ++size_;
        return *at.connection;
    }

    /// Null unless it is in the table, whatever its phase.
    [[nodiscard]] Connection* find(ConnectionId id) const noexcept {
        const std::size_t slot = slot_of(id);
        if (slot >= slots_.size()) return nullptr;
        Connection* const connection = slots_[slot].connection.get();
        return connection != nullptr && connection->id == id ? connection : nullptr;
    }
    /// The same, if it is open.
    [[nodiscard]] Connection* find_open(ConnectionId id) const noexcept {
        Connection* const connection = find(id);
        return connection != nullptr && connection->is_open() ? connection : nullptr;
    }

    void remove(ConnectionId id) {
        Slot& at = slots_[slot_of(id)];
        at.connection.reset();
        --size_;
        if (at.generation != UINT32_MAX) free_.push_back(slot_of(id));
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    /// Slots ever used; `at_slot` is null for empty ones.
    [[nodiscard]] std::uint32_t slots() const noexcept { return static_cast<std::uint32_t>(slots_.size()); }
    [[nodiscard]] Connection* at_slot(std::uint32_t slot) const noexcept { return slots_[slot].connection.get(); }

private:
    struct Slot {
        std::unique_ptr<Connection> connection;
        std::uint32_t generation = 0;
    };
    [[nodiscard]] static std::uint32_t slot_of(ConnectionId id) noexcept {
        return static_cast<std::uint32_t>(id.value()) & ((1U << kSlotBits) - 1);
    }

    std::uint32_t shard_;
    std::vector<Slot> slots_;
    std::vector<std::uint32_t> free_;
    std::size_t size_ = 0;
};

}  // namespace sluice::realtime
