#include "sluice/outbox/internal/retention.hpp"

#include <algorithm>

#include "sluice/core/mutant.hpp"

namespace sluice::outbox {

std::int64_t passed_by_all(std::span<const CursorFront> fronts, std::int64_t newest) noexcept {
    std::int64_t passed = newest - 1;
    for (const CursorFront& front : fronts) {
        if (front.acknowledged < front.head && !core::mutant("outbox_retention_ignores_cursors"))
            passed = std::min(passed, front.tick - 1);
    }
    return std::max<std::int64_t>(passed, 0);
}

std::size_t removable(std::span<const TickAge> oldest, std::int64_t passed, core::SystemTime cutoff) noexcept {
    std::size_t count = 0;
    while (count < oldest.size() && oldest[count].n <= passed && oldest[count].time <= cutoff)
        ++count;
    return count;
}

}  // namespace sluice::outbox
