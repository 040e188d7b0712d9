// The latest frames of one channel, dense, at its home.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "sluice/core/clock.hpp"
#include "sluice/realtime/channel_source.hpp"

namespace sluice::realtime {

struct RingLimits {
    std::size_t frames = 1024;
    std::size_t bytes = 256 * 1024;
};

/// Versions (first-1, last]; pure.
class Ring {
public:
    explicit Ring(RingLimits limits) noexcept : limits_(limits) {}

    /// `frame.version` follows `last()` unless the ring is empty. Old frames go when a limit is passed.
    void push(Frame frame, core::SteadyTime at);
    /// Drops frames that came before `oldest`.
    void expire(core::SteadyTime oldest);
    void clear() noexcept;

    [[nodiscard]] bool empty() const noexcept { return head_ == frames_.size(); }
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
    /// Whether every frame behind `after` up to the channel's `last` is here.
    [[nodiscard]] bool covers(core::Version after, core::Version last) const noexcept;
    /// The frames behind `after`, which `covers`.
    [[nodiscard]] std::span<const Frame> after(core::Version after) const noexcept;

private:
    [[nodiscard]] static std::size_t cost(const Frame& frame) noexcept;
    void drop_front() noexcept;

    RingLimits limits_;
    std::vector<Frame> frames_;            // from head_
    std::vector<core::SteadyTime> times_;  // of each
    std::size_t head_ = 0;
    std::size_t bytes_ = 0;
};

}  // namespace sluice::realtime
