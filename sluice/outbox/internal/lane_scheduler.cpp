#include "sluice/outbox/internal/lane_scheduler.hpp"

#include "sluice/core/assert.hpp"

namespace sluice::outbox {

std::size_t LaneScheduler::add(std::size_t count) {
    const std::size_t first = slots_.size();
    slots_.resize(first + count);
    return first;
}

void LaneScheduler::mark(std::size_t slot) {
    Slot& state = slots_.at(slot);
    if (state.taken) {
        state.again = true;
    } else if (!state.waiting) {
        state.waiting = true;
        waiting_.push_back(slot);
    }
}

void LaneScheduler::mark_at(std::size_t slot, core::SteadyTime when) {
    clear_due(slot);
    slots_.at(slot).due = when;
    due_.emplace(when, slot);
}

std::optional<std::size_t> LaneScheduler::take(core::SteadyTime now) {
    while (!due_.empty() && due_.begin()->first <= now) {
        const std::size_t slot = due_.begin()->second;
        clear_due(slot);
        mark(slot);
    }
    if (waiting_.empty()) return std::nullopt;
    const std::size_t slot = waiting_.front();
    waiting_.pop_front();
    slots_[slot].waiting = false;
    slots_[slot].taken = true;
    clear_due(slot);
    return slot;
}

void LaneScheduler::release(std::size_t slot) {
    Slot& state = slots_.at(slot);
    SLUICE_ASSERT(state.taken, "slot {} was not taken", slot);
    state.taken = false;
    if (state.again) {
        state.again = false;
        mark(slot);
    }
}

std::optional<core::SteadyTime> LaneScheduler::next_due() const {
    if (due_.empty()) return std::nullopt;
    return due_.begin()->first;
}

void LaneScheduler::clear_due(std::size_t slot) {
    Slot& state = slots_.at(slot);
    if (!state.due) return;
    due_.erase({*state.due, slot});
    state.due.reset();
}

}  // namespace sluice::outbox
