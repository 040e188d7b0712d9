#include "sluice/realtime/internal/ring.hpp"

#include "sluice/core/assert.hpp"

namespace sluice::realtime {
namespace {

constexpr std::size_t kFrameOverhead = sizeof(Frame) + sizeof(core::SteadyTime);

}  // namespace

std::size_t Ring::cost(const Frame& frame) noexcept {
    return kFrameOverhead + frame.event.size() + frame.data_json.size();
}

void Ring::push(Frame frame, core::SteadyTime at) {
    SLUICE_ASSERT(empty() || frame.version == frames_.back().version.next(), "version {} does not follow {}",
                  frame.version, frames_.back().version);
    bytes_ += cost(frame);
    frames_.push_back(std::move(frame));
    times_.push_back(at);
    while (frames_.size() - head_ > limits_.frames || (bytes_ > limits_.bytes && frames_.size() - head_ > 1))
        drop_front();
}

void Ring::drop_front() noexcept {
    bytes_ -= cost(frames_[head_]);
    frames_[head_] = {};
    ++head_;
    if (head_ < 32 || head_ * 2 < frames_.size()) return;
    frames_.erase(frames_.begin(), frames_.begin() + static_cast<std::ptrdiff_t>(head_));
    times_.erase(times_.begin(), times_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
}

void Ring::expire(core::SteadyTime oldest) {
    while (!empty() && times_[head_] < oldest)
        drop_front();
    if (empty()) clear();
}

void Ring::clear() noexcept {
    frames_ = {};
    times_ = {};
    head_ = 0;
    bytes_ = 0;
}

bool Ring::covers(core::Version after, core::Version last) const noexcept {
    if (after == last) return true;
    if (after > last || empty()) return false;
    return frames_[head_].version <= after.next() && frames_.back().version == last;
}

std::span<const Frame> Ring::after(core::Version after) const noexcept {
    const std::span<const Frame> all(frames_.data() + head_, frames_.size() - head_);
    if (all.empty() || after >= all.back().version) return {};
    return all.subspan(static_cast<std::size_t>(after.value() + 1 - all.front().version.value()));
}

}  // namespace sluice::realtime
