#include "sluice/outbox/internal/parked_keys.hpp"

#include <fmt/format.h>

namespace sluice::outbox {

std::string key_group(std::int32_t queue, std::string_view key, std::int64_t number) {
    return key.empty() ? fmt::format("#{}", number) : fmt::format("{}/{}", queue, key);
}

const ParkedKey* ParkedKeys::find(std::string_view group) const {
    const auto found = keys_.find(group);
    return found == keys_.end() ? nullptr : &found->second;
}

void ParkedKeys::put(const std::string& group, ParkedKey key) {
    erase(group);
    if (!key.held) turns_.emplace(key.retry.next_at, group);
    keys_.emplace(group, key);
}

void ParkedKeys::erase(std::string_view group) {
    const auto found = keys_.find(group);
    if (found == keys_.end()) return;
    turns_.erase({found->second.retry.next_at, found->first});
    keys_.erase(found);
}

void ParkedKeys::announce(const std::string& group) {
    put(group, ParkedKey{{}, true});
    told_.insert(group);
}

void ParkedKeys::tell(const std::string& group, core::SteadyTime now) {
    put(group, ParkedKey{{0, now, now}, false});
    told_.insert(group);
}

void ParkedKeys::begin(std::string_view group) {
    if (const auto found = told_.find(group); found != told_.end()) told_.erase(found);
}

void ParkedKeys::settle(const std::string& group, const std::optional<ParkedKey>& key) {
    if (told_.contains(group)) return;
    if (key)
        put(group, *key);
    else
        erase(group);
}

void ParkedKeys::clear() {
    keys_.clear();
    turns_.clear();
    told_.clear();
}

std::optional<std::string> ParkedKeys::due(core::SteadyTime now) const {
    if (turns_.empty() || turns_.begin()->first > now) return std::nullopt;
    return turns_.begin()->second;
}

std::optional<core::SteadyTime> ParkedKeys::next_due() const {
    if (turns_.empty()) return std::nullopt;
    return turns_.begin()->first;
}

}  // namespace sluice::outbox
