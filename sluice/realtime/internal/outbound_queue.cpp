#include "sluice/realtime/internal/outbound_queue.hpp"

#include <algorithm>

#include "sluice/core/assert.hpp"

namespace sluice::realtime {
namespace {

constexpr std::size_t kPinFactor = 4;
constexpr std::size_t kSpentEntries = 32;  // sent ones that are tolerated in front
constexpr unsigned char kPong = 0x8a;      // first byte of its frame

}  // namespace

void OutboundQueue::push(Slice slice, SliceKind kind) {
    const std::uint32_t frames = slice.frames();
    const std::uint32_t bytes = slice.bytes();
    switch (kind) {
        case SliceKind::data:
            if (data_frames_ == 0) {
                const std::uint32_t end = slice.batch->next_end(slice.from);
                exempt_bytes_ = end == 0 || end > slice.to ? bytes : end - slice.from;
            }
            data_frames_ += frames;
            data_bytes_ += bytes;
            break;
        case SliceKind::reply:
            reply_frames_ += frames;
            break;
        case SliceKind::control:
            control_frames_ += frames;
            break;
    }
    bytes_ += bytes;
    if (!empty()) {
        Entry& back = entries_.back();
        if (back.kind == kind && back.slice.batch == slice.batch && back.slice.to == slice.from) {
            back.slice.to = slice.to;
            return;
        }
    }
    entries_.push_back({std::move(slice), kind});
}

/// The index of the first entry that begins with a frame's first byte; splits the entry in which the begun frame ends.
std::size_t OutboundQueue::first_border() {
    if (!mid_frame_) return head_;
    for (std::size_t i = head_; i < entries_.size(); ++i) {
        const Slice& slice = entries_[i].slice;
        const std::uint32_t end = slice.batch->next_end(slice.from);
        if (end == 0 || end > slice.to) continue;
        if (end < slice.to) {
            Entry rest = entries_[i];
            rest.slice.from = end;
            entries_[i].slice.to = end;
            entries_.insert(entries_.begin() + static_cast<std::ptrdiff_t>(i) + 1, std::move(rest));
        }
        return i + 1;
    }
    SLUICE_ASSERT(false, "a frame was begun and its end is not in the queue");
    return entries_.size();
}

/// Of several pings only the newest has to be answered (RFC 6455 section 5.5.3).
bool OutboundQueue::replace_newest_pong(std::size_t begin, std::size_t end, Slice frame) {
    const auto is_pong = [](const Slice& slice) {
        return static_cast<unsigned char>(slice.batch->view(slice.from, slice.to).front()) == kPong;
    };
    if (!is_pong(frame)) return false;
    while (end > begin && !is_pong(entries_[end - 1].slice))
        --end;
    if (end == begin) return false;
    Slice& older = entries_[end - 1].slice;
    bytes_ = bytes_ - older.bytes() + frame.bytes();
    older = std::move(frame);
    return true;
}

bool OutboundQueue::push_control(Slice frame, std::size_t limit) {
    const std::size_t begin = first_border();
    std::size_t at = begin;
    while (at < entries_.size() && entries_[at].kind == SliceKind::control)
        ++at;
    if (control_frames_ >= limit) return replace_newest_pong(begin, at, std::move(frame));
    ++control_frames_;
    bytes_ += frame.bytes();
    entries_.insert(entries_.begin() + static_cast<std::ptrdiff_t>(at), {std::move(frame), SliceKind::control});
    return true;
}

std::uint32_t OutboundQueue::drop_unbegun() {
    const std::size_t border = first_border();
    std::uint32_t dropped = 0;
    for (std::size_t i = border; i < entries_.size(); ++i) {
        if (entries_[i].kind != SliceKind::control) dropped += entries_[i].slice.frames();
        forget(entries_[i]);
    }
    entries_.resize(border);
    return dropped;
}

void OutboundQueue::forget(const Entry& entry) noexcept {
    bytes_ -= entry.slice.bytes();
    const std::uint32_t frames = entry.slice.frames();
    switch (entry.kind) {
        case SliceKind::data:
            data_frames_ -= frames;
            data_bytes_ -= entry.slice.bytes();
            break;
        case SliceKind::reply:
            reply_frames_ -= frames;
            break;
        case SliceKind::control:
            control_frames_ -= frames;
            break;
    }
}

std::size_t OutboundQueue::gather(std::span<iovec> into, std::size_t& bytes) const {
    std::size_t count = 0;
    bytes = 0;
    for (std::size_t i = head_; i < entries_.size() && count < into.size(); ++i, ++count) {
        const Slice& slice = entries_[i].slice;
        const std::string_view view = slice.batch->view(slice.from, slice.to);
        into[count] = {const_cast<char*>(view.data()),
                       view.size()};  // iovec is not const-correct; the kernel only reads
        bytes += view.size();
    }
    return count;
}

Sent OutboundQueue::consume(std::size_t bytes) {
    Sent sent;
    while (bytes > 0) {
        SLUICE_ASSERT(!empty(), "{} more bytes were sent than queued", bytes);
        Entry& front = entries_[head_];
        const auto count = static_cast<std::uint32_t>(std::min<std::size_t>(bytes, front.slice.bytes()));
        const Entry gone{{front.slice.batch, front.slice.from, front.slice.from + count}, front.kind};
        const std::uint32_t frames = gone.slice.frames();
        forget(gone);
        if (gone.kind != SliceKind::control) sent.frames += frames;
        if (gone.kind == SliceKind::reply) sent.replies += frames;
        if (gone.kind == SliceKind::data) exempt_bytes_ -= std::min<std::size_t>(exempt_bytes_, count);
        mid_frame_ = !gone.slice.batch->is_frame_end(gone.slice.to);
        front.slice.from += count;
        bytes -= count;
        if (front.slice.bytes() == 0) {
            front.slice.batch = {};
            ++head_;
        }
    }
    if (empty() || (head_ >= kSpentEntries && head_ * 2 >= entries_.size())) {
        entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(head_));
        head_ = 0;
    }
    return sent;
}

bool OutboundQueue::exceeds(std::size_t frames, std::size_t bytes) const noexcept {
    if (data_frames_ <= 1) return false;
    return data_frames_ > frames || data_bytes_ - std::min(exempt_bytes_, data_bytes_) > bytes;
}

void OutboundQueue::unpin(std::size_t small, std::size_t& gauge) {
    if (empty() || bytes_ > small) return;
    const bool pins =
        std::any_of(entries_.begin() + static_cast<std::ptrdiff_t>(head_), entries_.end(),
                    [](const Entry& entry) { return entry.slice.batch->size() > kPinFactor * entry.slice.bytes(); });
    if (!pins) return;
    BatchRef own = Batch::make(gauge);
    for (std::size_t i = head_; i < entries_.size(); ++i) {
        Slice& slice = entries_[i].slice;
        const std::uint32_t from = own->size();
        while (slice.from < slice.to) {
            const std::uint32_t end = slice.batch->next_end(slice.from);
            const bool whole = end != 0 && end <= slice.to;
            const std::uint32_t upto = whole ? end : slice.to;
            own->append_part(slice.batch->view(slice.from, upto), whole);
            slice.from = upto;
        }
        slice = {own, from, own->size()};
    }
}

void OutboundQueue::clear() noexcept {
    *this = {};
}

}  // namespace sluice::realtime
