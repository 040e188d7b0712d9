// Framed bytes written once and sent to many: a room's frames of one turn, the replies of one turn, or a large state.
//
//     BatchRef batch = Batch::make(gauge);
//     batch->append_frame(ws::Opcode::text, payload);
//     Slice slice{batch, 0, batch->size()};             // kept by a connection that could not take all of it yet
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/realtime/ws/frame_codec.hpp"

namespace sluice::realtime {

class BatchRef;

/// Grows until it is frozen by the one who fills it; offsets stay valid either way. Shard-local, so counted without
/// atomics.
class Batch {
public:
    /// `gauge` holds the bytes of all batches alive and outlives them.
    [[nodiscard]] static BatchRef make(std::size_t& gauge);
    /// A batch of bytes that live elsewhere and hold no frame end: the middle of a frame whose head and tail are in
    /// another batch.
    [[nodiscard]] static BatchRef of_shared(std::size_t& gauge, std::shared_ptr<const std::string> bytes);

    Batch(const Batch&) = delete;
    Batch& operator=(const Batch&) = delete;
    ~Batch() { gauge_ -= counted_; }

    /// Appends a whole frame.
    void append_frame(ws::Opcode opcode, std::string_view payload);
    /// Appends frames that were encoded elsewhere; `ends` are offsets within `bytes`.
    void append_framed(std::string_view bytes, std::span<const std::uint32_t> ends);
    /// Appends a part of a frame; `end_frame` marks that the frame ends here.
    void append_part(std::string_view bytes, bool end_frame);
    /// The string that whole frames may be encoded into; `end_frame` after each.
    [[nodiscard]] std::string& bytes() noexcept { return own_; }
    void end_frame();

    [[nodiscard]] std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(view().size()); }
    [[nodiscard]] std::uint32_t frames() const noexcept { return static_cast<std::uint32_t>(ends_.size()); }
    [[nodiscard]] std::string_view view() const noexcept {
        return shared_ ? std::string_view(*shared_) : std::string_view(own_);
    }
    [[nodiscard]] std::string_view view(std::uint32_t from, std::uint32_t to) const noexcept {
        return view().substr(from, to - from);
    }
    /// Frames that end behind `from` and not behind `to`.
    [[nodiscard]] std::uint32_t frames_between(std::uint32_t from, std::uint32_t to) const noexcept {
        if (from == 0 && to == size()) return frames();
        return index_behind(to) - index_behind(from);
    }
    /// Whether a frame ends at `offset`.
    [[nodiscard]] bool is_frame_end(std::uint32_t offset) const noexcept {
        return std::binary_search(ends_.begin(), ends_.end(), offset);
    }
    /// The first frame end behind `offset`, or 0 if there is none.
    [[nodiscard]] std::uint32_t next_end(std::uint32_t offset) const noexcept {
        const std::uint32_t index = index_behind(offset);
        return index < ends_.size() ? ends_[index] : 0;
    }

    /// Nobody else holds it: it may be emptied and filled again.
    [[nodiscard]] bool is_unshared() const noexcept { return references_ == 1; }
    void clear() noexcept;

private:
    friend class BatchRef;
    explicit Batch(std::size_t& gauge) noexcept : gauge_(gauge) {}
    [[nodiscard]] std::uint32_t index_behind(std::uint32_t offset) const noexcept {
        return static_cast<std::uint32_t>(std::upper_bound(ends_.begin(), ends_.end(), offset) - ends_.begin());
    }
    void count() noexcept;

    std::size_t& gauge_;
    std::size_t counted_ = 0;
    std::uint32_t references_ = 0;
    std::string own_;
    std::shared_ptr<const std::string> shared_;  // with every connection and shard that sends it
    std::vector<std::uint32_t> ends_;
};

/// Counted reference to a Batch, on its shard.
class BatchRef {
public:
    BatchRef() noexcept = default;
    explicit BatchRef(Batch* batch) noexcept : batch_(batch) {
        if (batch_ != nullptr) ++batch_->references_;
    }
    BatchRef(const BatchRef& other) noexcept : BatchRef(other.batch_) {}
    BatchRef(BatchRef&& other) noexcept : batch_(std::exchange(other.batch_, nullptr)) {}
    BatchRef& operator=(BatchRef other) noexcept {
        std::swap(batch_, other.batch_);
        return *this;
    }
    ~BatchRef() {
        if (batch_ != nullptr && --batch_->references_ == 0) delete batch_;
    }

    [[nodiscard]] Batch* operator->() const noexcept { return batch_; }
    [[nodiscard]] Batch& operator*() const noexcept { return *batch_; }
    explicit operator bool() const noexcept { return batch_ != nullptr; }
    friend bool operator==(const BatchRef&, const BatchRef&) = default;

private:
    Batch* batch_ = nullptr;
};

/// A part of a batch that a connection still has to send.
struct Slice {
    BatchRef batch;
    std::uint32_t from = 0;
    std::uint32_t to = 0;

    [[nodiscard]] std::uint32_t bytes() const noexcept { return to - from; }
    [[nodiscard]] std::uint32_t frames() const noexcept { return batch->frames_between(from, to); }
};

}  // namespace sluice::realtime
