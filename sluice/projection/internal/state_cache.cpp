#include "sluice/projection/internal/state_cache.hpp"

#include <utility>

namespace sluice::projection::internal {
namespace {

/// Bytes of an entry: its texts, and as much again for the decoded state and the bookkeeping.
std::size_t size_of(const std::string& key, const KeyState& state) {
    return 2 * (key.size() + state.bytes.size()) + 256;
}

}  // namespace

std::size_t StateCache::take(std::int64_t generation, std::span<const std::string_view> keys, KeyStates& states) {
    if (generation != generation_) clear();
    std::size_t taken = 0;
    for (const std::string_view key : keys) {
        const auto found = by_key_.find(key);
        if (found == by_key_.end()) continue;
        const Entries::iterator entry = found->second;
        states.insert_or_assign(entry->key, std::move(entry->state));
        drop(entry);
        ++taken;
    }
    return taken;
}

void StateCache::put(std::int64_t generation, KeyStates states) {
    if (generation != generation_) clear();
    generation_ = generation;
    while (!states.empty()) {
        auto node = states.extract(states.begin());
        KeyState& state = node.mapped();
        if (state.parked || !state.defect.empty() || state.state == nullptr || !state.stored) continue;
        state.dirty = false;
        keep(std::move(node.key()), std::move(state));
    }
    while (bytes_ > limit_)
        drop(std::prev(entries_.end()));
}

void StateCache::clear() {
    by_key_.clear();
    entries_.clear();
    bytes_ = 0;
}

void StateCache::drop(Entries::iterator entry) {
    bytes_ -= entry->bytes;
    by_key_.erase(entry->key);
    entries_.erase(entry);
}

void StateCache::keep(std::string key, KeyState state) {
    if (const auto found = by_key_.find(key); found != by_key_.end()) drop(found->second);
    const std::size_t bytes = size_of(key, state);
    entries_.push_front(Entry{std::move(key), std::move(state), bytes});
    by_key_.emplace(entries_.front().key, entries_.begin());
    bytes_ += bytes;
}

}  // namespace sluice::projection::internal
