// The keys of one lane that were set aside: who waits until when. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/outbox/internal/retry.hpp"

namespace sluice::outbox {

/// What messages of one key have in common within a lane: queue and key; a message without a key is alone.
[[nodiscard]] std::string key_group(std::int32_t queue, std::string_view key, std::int64_t number);

/// The first message that waits of a key.
struct ParkedKey {
    RetryState retry;
    bool held = false;  ///< until a person releases it
};

class ParkedKeys {
public:
    [[nodiscard]] bool contains(std::string_view group) const { return keys_.contains(group); }
    [[nodiscard]] const ParkedKey* find(std::string_view group) const;
    [[nodiscard]] std::size_t size() const noexcept { return keys_.size(); }

    /// Adds or replaces.
    void put(const std::string& group, ParkedKey key);
    void erase(std::string_view group);

    /// Somebody is about to change what waits of the key: nobody tries it until `tell`, and its later messages wait
    /// too.
    void announce(const std::string& group);
    /// Somebody else changed what waits of the key: its turn is now, and what a run that is under way learns of it is
    /// out of date.
    void tell(const std::string& group, core::SteadyTime now);
    /// A run begins that reads what waits of the key: whatever was told before is in it.
    void begin(std::string_view group);
    /// What a run found out, nothing if no message waits any more; ignored when the key was told of meanwhile.
    void settle(const std::string& group, const std::optional<ParkedKey>& key);
    void clear();

    /// The key whose turn has come longest ago; held ones have none.
    [[nodiscard]] std::optional<std::string> due(core::SteadyTime now) const;
    [[nodiscard]] std::optional<core::SteadyTime> next_due() const;

private:
    std::map<std::string, ParkedKey, std::less<>> keys_;
    std::set<std::pair<core::SteadyTime, std::string>> turns_;
    std::set<std::string, std::less<>> told_;
};

}  // namespace sluice::outbox
