#include "sluice/core/backoff.hpp"

#include <algorithm>
#include <cmath>

namespace sluice::core {

std::chrono::nanoseconds Backoff::delay(std::uint32_t attempt, double random01) const noexcept {
    const auto most = static_cast<double>(max.count());
    const double grown = static_cast<double>(initial.count()) * std::pow(multiplier, attempt);
    const double whole = grown < most ? grown : most;  // also when `grown` overflowed to infinity or NaN
    const double kept = whole * (1 - std::clamp(jitter, 0.0, 1.0) * std::clamp(random01, 0.0, 1.0));
    return kept < most ? std::chrono::nanoseconds(static_cast<std::int64_t>(kept)) : max;
}

}  // namespace sluice::core
