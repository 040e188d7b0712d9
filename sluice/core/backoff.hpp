// Exponential backoff with jitter, as a pure function of the attempt and a random number.
//
//     const core::Backoff backoff{.initial = 100ms, .max = 30s};
//     co_await runtime::sleep_for(backoff.delay(attempt++, random.unit()));
#pragma once

#include <chrono>
#include <cstdint>

namespace sluice::core {

/// The delay before attempt n + 1 is min(max, initial * multiplier^n), of which a random part of up to `jitter` (0..1)
/// is taken away, so that clients which failed together do not come back together.
struct Backoff {
    std::chrono::nanoseconds initial = std::chrono::milliseconds(100);
    std::chrono::nanoseconds max = std::chrono::seconds(30);
    double multiplier = 2;
    double jitter = 0.5;

    /// `attempt`: failures before the one that just happened, from 0. `random01`: in [0, 1). Between
    /// (1 - jitter) * d and d; never above `max`.
    [[nodiscard]] std::chrono::nanoseconds delay(std::uint32_t attempt, double random01) const noexcept;
};

}  // namespace sluice::core
