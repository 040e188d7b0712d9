#include "sluice/outbox/internal/lane_buffer.hpp"

#include <algorithm>

#include "sluice/core/assert.hpp"

namespace sluice::outbox {

std::int64_t LaneBuffer::front_tick() const noexcept {
    return waiting_.empty() ? from_.tick : waiting_.front().logged.tick;
}

void LaneBuffer::raise_head(std::int64_t head) noexcept {
    head_ = std::max(head_, head);
}

void LaneBuffer::pass_over(std::int64_t number) noexcept {
    taken_ = std::max(taken_, number);
    head_ = std::max(head_, taken_);
}

void LaneBuffer::take(Waiting waiting) {
    SLUICE_ASSERT(waiting.number > taken_, "message {} after {}", waiting.number, taken_);
    taken_ = waiting.number;
    head_ = std::max(head_, taken_);
    bytes_ += waiting.bytes;
    waiting_.push_back(std::move(waiting));
}

void LaneBuffer::trim(std::size_t keep) {
    if (waiting_.size() <= keep) return;
    const LoggedMessage& first_dropped = waiting_[keep].logged;
    from_ = {first_dropped.tick, first_dropped.message->id.value() - 1};
    taken_ = waiting_[keep].number - 1;
    while (waiting_.size() > keep) {
        bytes_ -= waiting_.back().bytes;
        waiting_.pop_back();
    }
}

void LaneBuffer::acknowledge(std::size_t count) {
    SLUICE_ASSERT(count <= waiting_.size(), "{} acknowledged of {}", count, waiting_.size());
    if (count > 0) held_ = false;
    for (; count > 0; --count) {
        acknowledged_ = waiting_.front().number;
        bytes_ -= waiting_.front().bytes;
        waiting_.pop_front();
    }
}

void LaneBuffer::acknowledge_idle(std::int64_t number) {
    SLUICE_ASSERT(number <= taken_ && (waiting_.empty() || number < waiting_.front().number),
                  "{} acknowledged while {} wait up to {}", number, waiting_.size(), taken_);
    acknowledged_ = std::max(acknowledged_, number);
}

void LaneBuffer::reset(std::int64_t acknowledged, ReadPoint from) {
    waiting_.clear();
    bytes_ = 0;
    held_ = false;
    acknowledged_ = acknowledged;
    handled_ = acknowledged;
    taken_ = acknowledged;
    from_ = from;
}

}  // namespace sluice::outbox
