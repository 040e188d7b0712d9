// What one connection still has to send, as slices of shared batches. Exists only while there is something.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <sys/uio.h>

#include "sluice/realtime/internal/batch.hpp"

namespace sluice::realtime {

enum class SliceKind : std::uint8_t {
    data,     ///< counts against the limits
    reply,    ///< answers to commands, bounded by the commands in flight
    control,  ///< ping, pong, close: bounded by their own number
};

/// What became whole in the kernel's hands.
struct Sent {
    std::uint32_t frames = 0;  ///< data and replies
    std::uint32_t replies = 0;
};

/// Pure; first in, first out, except that control frames overtake data at the next frame border.
class OutboundQueue {
public:
    /// Behind everything; a close frame, too, which is the last.
    void push(Slice slice, SliceKind kind);
    /// A whole control frame, before all data that has not begun. If `limit` wait already, a pong takes the place of
    /// the newest one that waits and any other is refused: false.
    bool push_control(Slice frame, std::size_t limit);
    /// Removes every frame that has not begun; answers how many data and reply frames that were.
    std::uint32_t drop_unbegun();
    /// Data and reply frames that were not handed over whole.
    [[nodiscard]] std::uint32_t unsent_frames() const noexcept { return data_frames_ + reply_frames_; }

    /// Fills `into` with the front of the queue; answers how many entries and sets `bytes` to their sum.
    std::size_t gather(std::span<iovec> into, std::size_t& bytes) const;
    /// `bytes` of the front were handed to the kernel.
    Sent consume(std::size_t bytes);

    [[nodiscard]] bool empty() const noexcept { return head_ == entries_.size(); }
    /// Over a limit, the frame in front excepted: one frame is always admitted to an empty queue.
    [[nodiscard]] bool exceeds(std::size_t frames, std::size_t bytes) const noexcept;
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
    [[nodiscard]] std::uint32_t data_frames() const noexcept { return data_frames_; }

    /// Copies a rest of at most `small` bytes out of batches much larger than it, so that it no longer pins them.
    void unpin(std::size_t small, std::size_t& gauge);
    /// Empties it for the next connection that needs one.
    void clear() noexcept;

private:
    struct Entry {
        Slice slice;
        SliceKind kind;
    };
    [[nodiscard]] std::size_t first_border();
    bool replace_newest_pong(std::size_t begin, std::size_t end, Slice frame);
    void forget(const Entry& entry) noexcept;

    std::vector<Entry> entries_;  // from head_
    std::size_t head_ = 0;
    std::size_t bytes_ = 0;
    std::size_t data_bytes_ = 0;
    std::size_t exempt_bytes_ = 0;  // of the frame that was admitted to an empty queue
    std::uint32_t data_frames_ = 0;
    std::uint32_t reply_frames_ = 0;
    std::uint32_t control_frames_ = 0;
    bool mid_frame_ = false;  // the front entry begins inside a frame
};

}  // namespace sluice::realtime
