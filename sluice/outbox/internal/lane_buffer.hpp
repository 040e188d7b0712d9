// What one lane of one subscription has in memory, and where its cursor and the lane's head stand. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

#include "sluice/outbox/internal/log_slice.hpp"

namespace sluice::outbox {

/// A message that waits for its turn. `number` is its sequence, or its position when lanes are merged.
struct Waiting {
    LoggedMessage logged;
    std::int64_t number = 0;
    std::size_t bytes = 0;
};

/// Invariant: acknowledged <= every number that waits <= taken <= head, numbers rising; everything of the lane between
/// `acknowledged` and `taken` waits here.
class LaneBuffer {
public:
    /// `from`: where in the log the message after `acknowledged` is to be looked for.
    LaneBuffer(std::int64_t acknowledged, ReadPoint from)
        : acknowledged_(acknowledged), handled_(acknowledged), taken_(acknowledged), from_(from) {}

    [[nodiscard]] std::int64_t acknowledged() const noexcept { return acknowledged_; }
    /// Where the handler's last batch ended; an idle cursor moves on without one.
    [[nodiscard]] std::int64_t handled() const noexcept { return handled_; }
    [[nodiscard]] std::int64_t taken() const noexcept { return taken_; }
    [[nodiscard]] std::int64_t head() const noexcept { return head_; }
    [[nodiscard]] bool lagging() const noexcept { return taken_ < head_; }
    [[nodiscard]] ReadPoint from() const noexcept { return from_; }
    [[nodiscard]] std::size_t size() const noexcept { return waiting_.size(); }
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
    [[nodiscard]] const Waiting& at(std::size_t index) const { return waiting_[index]; }
    /// The tick of the first message that is not acknowledged, or the newest one looked at if none waits.
    [[nodiscard]] std::int64_t front_tick() const noexcept;

    void raise_head(std::int64_t head) noexcept;
    /// Everything of the lane before `from` was taken.
    void looked_up_to(ReadPoint from) noexcept { from_ = from; }
    /// Numbers up to `number` were looked at; those that did not come by `take` concern somebody else.
    void pass_over(std::int64_t number) noexcept;
    void take(Waiting waiting);
    /// A held lane takes nothing more until it is acknowledged or reset.
    void hold() noexcept { held_ = true; }
    [[nodiscard]] bool held() const noexcept { return held_; }
    /// Drops what waits behind the first `keep` messages; it will be read again.
    void trim(std::size_t keep);
    /// The cursor moved past the first `count` messages.
    void acknowledge(std::size_t count);
    /// The handler had what the cursor passed last.
    void note_handled() noexcept { handled_ = acknowledged_; }
    /// The cursor moved to `number` <= taken while nothing waited up to there; what came meanwhile waits behind it.
    void acknowledge_idle(std::int64_t number);
    /// Forgets what waits: the cursor stands at `acknowledged` after all.
    void reset(std::int64_t acknowledged, ReadPoint from);

private:
    std::int64_t acknowledged_;
    std::int64_t handled_;
    std::int64_t taken_;
    std::int64_t head_ = 0;
    ReadPoint from_;
    std::deque<Waiting> waiting_;
    std::size_t bytes_ = 0;
    bool held_ = false;
};

}  // namespace sluice::outbox
