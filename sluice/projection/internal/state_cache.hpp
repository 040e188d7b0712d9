// States of keys that were folded lately, so that a hot key is neither read nor decoded for every batch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <span>
#include <string>
#include <unordered_map>

#include "sluice/projection/fold.hpp"

namespace sluice::projection::internal {

/// Holds committed states only: a batch takes its keys out and gives them back once its commit is certain, so whatever
/// ends otherwise leaves nothing behind. At most `limit` bytes, least recently used first out. One generation at a
/// time.
class StateCache {
public:
    explicit StateCache(std::size_t limit) : limit_(limit) {}

    /// Moves what is known of `keys` into `states`. Answers how many.
    std::size_t take(std::int64_t generation, std::span<const std::string_view> keys, KeyStates& states);
    /// Takes over what can be used again: no parked key, no defect.
    void put(std::int64_t generation, KeyStates states);
    void clear();

    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
    [[nodiscard]] std::size_t keys() const noexcept { return entries_.size(); }

private:
    struct Entry {
        std::string key;
        KeyState state;
        std::size_t bytes = 0;
    };
    using Entries = std::list<Entry>;

    void drop(Entries::iterator entry);
    void keep(std::string key, KeyState state);

    std::size_t limit_;
    std::size_t bytes_ = 0;
    std::int64_t generation_ = 0;
    Entries entries_;  // most recently used first
    std::unordered_map<std::string_view, Entries::iterator> by_key_;
};

}  // namespace sluice::projection::internal
