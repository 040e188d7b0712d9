// Where every frame offered to a member went. Belongs to a shard; the sums over shards are what /metrics shows.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace sluice::realtime {

/// Why a connection ended with frames it had not been handed.
enum class EndReason : std::uint8_t {
    client,      ///< it closed, or its socket failed
    slow,        ///< evicted
    silent,      ///< reaped
    misuse,      ///< broke the protocol, or its rates
    kicked,      ///< disconnected by the application or a change of rights
    going_away,  ///< shutdown
    count,
};

[[nodiscard]] constexpr const char* to_string(EndReason reason) noexcept {
    constexpr const char* kNames[] = {"client", "slow", "silent", "misuse", "kicked", "going_away"};
    return kNames[static_cast<std::size_t>(reason)];
}

/// offered = delivered + conflated + dropped + discarded + queued holds between any two calls.
class Accounting {
public:
    void offer(std::uint64_t frames) noexcept {
        offered_ += frames;
        queued_ += frames;
    }
    void deliver(std::uint64_t frames) noexcept {
        delivered_ += frames;
        queued_ -= frames;
    }
    void discard(std::uint64_t frames, EndReason reason) noexcept {
        discarded_[static_cast<std::size_t>(reason)] += frames;
        queued_ -= frames;
    }

    [[nodiscard]] std::uint64_t offered() const noexcept { return offered_; }
    [[nodiscard]] std::uint64_t delivered() const noexcept { return delivered_; }
    [[nodiscard]] std::uint64_t queued() const noexcept { return queued_; }
    [[nodiscard]] std::uint64_t discarded(EndReason reason) const noexcept {
        return discarded_[static_cast<std::size_t>(reason)];
    }
    [[nodiscard]] std::uint64_t discarded() const noexcept {
        std::uint64_t sum = 0;
        for (const std::uint64_t frames : discarded_)
            sum += frames;
        return sum;
    }

private:
    std::uint64_t offered_ = 0;
    std::uint64_t delivered_ = 0;
    std::uint64_t queued_ = 0;
    std::array<std::uint64_t, static_cast<std::size_t>(EndReason::count)> discarded_{};
};

}  // namespace sluice::realtime
