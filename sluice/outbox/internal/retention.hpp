// What nobody needs any more. Pure: fronts and ages in, the ticks to remove out.
#pragma once

#include <cstdint>
#include <span>

#include "sluice/core/clock.hpp"

namespace sluice::outbox {

/// How far one lane of one subscription has come.
struct CursorFront {
    std::int64_t acknowledged = 0;
    std::int64_t head = 0;
    std::int64_t tick = 0;  ///< holds the first message that is not acknowledged, or an earlier one
};

/// The newest tick that every cursor has passed and that is not the newest of all, which is always kept; 0 for none.
/// Idle lanes stand at old ticks, so a cursor at its lane's head has passed everything.
[[nodiscard]] std::int64_t passed_by_all(std::span<const CursorFront> fronts, std::int64_t newest) noexcept;

struct TickAge {
    std::int64_t n = 0;
    core::SystemTime time;
};

/// How many of `oldest` (rising in n) may be removed: those up to `passed` that are not younger than `cutoff`, before
/// the first that must stay.
[[nodiscard]] std::size_t removable(std::span<const TickAge> oldest, std::int64_t passed,
                                    core::SystemTime cutoff) noexcept;

}  // namespace sluice::outbox
