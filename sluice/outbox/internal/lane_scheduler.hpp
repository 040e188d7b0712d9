// Which lane is looked at next, over all subscriptions of an outbox: in the order in which they asked, one step at a
// time each, timers included. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "sluice/core/clock.hpp"

namespace sluice::outbox {

/// Slots are numbered from 0 in the order of `add`. Invariant: a slot is waiting at most once and never while it is
/// taken.
class LaneScheduler {
public:
    /// Answers the first of `count` new slots.
    std::size_t add(std::size_t count);

    /// Something happened to `slot`: look at it. While it is taken this is remembered.
    void mark(std::size_t slot);
    /// Look at `slot` at `when` at the latest; replaces an earlier wish.
    void mark_at(std::size_t slot, core::SteadyTime when);

    /// The slot that waits longest; it is the caller's until `release`.
    [[nodiscard]] std::optional<std::size_t> take(core::SteadyTime now);
    void release(std::size_t slot);

    [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.size(); }
    [[nodiscard]] std::optional<core::SteadyTime> next_due() const;

private:
    struct Slot {
        bool waiting = false;
        bool taken = false;
        bool again = false;
        std::optional<core::SteadyTime> due;
    };
    void clear_due(std::size_t slot);

    std::vector<Slot> slots_;
    std::deque<std::size_t> waiting_;
    std::set<std::pair<core::SteadyTime, std::size_t>> due_;
};

}  // namespace sluice::outbox
