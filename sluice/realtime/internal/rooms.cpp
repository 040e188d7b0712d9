#include "sluice/realtime/internal/rooms.hpp"

#include <algorithm>
#include <utility>

namespace sluice::realtime {
namespace {

bool awaits_walk(const LocalRoom& room, std::uint32_t index) noexcept {
    return room.walked && index >= room.walk_at && index < room.walk_end;
}

void push_to_queue(Connection& connection, Slice slice) {
    if (slice.from == slice.to) return;
    if (!connection.queue) connection.queue = std::make_unique<OutboundQueue>();
    connection.queue->push(std::move(slice), SliceKind::data);
}

}  // namespace

LocalRoom* Rooms::find(const RoomKey& key) {
    const auto found = rooms_.find(key);
    return found == rooms_.end() ? nullptr : &found->second;
}

LocalRoom& Rooms::obtain(const RoomKey& key) {
    const auto [at, made] = rooms_.try_emplace(key);
    if (made) at->second.key = &at->first;
    return at->second;
}

bool Rooms::is_member(const Connection& connection, const LocalRoom& room) noexcept {
    return std::ranges::any_of(connection.memberships, [&](const Membership& m) { return m.room == &room; });
}

bool Rooms::join(Connection& connection, LocalRoom& room) {
    if (is_member(connection, room)) return false;
    const std::uint32_t from = room.open ? room.open->size() : 0;
    room.has_offsets = room.has_offsets || from > 0;
    const auto slot = static_cast<std::uint32_t>(connection.memberships.size());
    connection.memberships.push_back({&room, room.members.add(connection, slot, from)});
    return true;
}

bool Rooms::leave(Connection& connection, LocalRoom& room) {
    const auto found = std::ranges::find(connection.memberships, &room, &Membership::room);
    if (found == connection.memberships.end()) return false;
    detach(connection, static_cast<std::size_t>(found - connection.memberships.begin()), true);
    return true;
}

void Rooms::leave_all(Connection& connection, bool keep_pending) {
    while (!connection.memberships.empty())
        detach(connection, connection.memberships.size() - 1, keep_pending);
    connection.memberships.shrink_to_fit();
}

void Rooms::detach(Connection& connection, std::size_t slot, bool keep_pending) {
    const Membership gone = connection.memberships[slot];
    LocalRoom& room = *gone.room;
    if (keep_pending)
        collect(room, gone.index);
    else
        state_.accounting.discard(pending_frames(room, gone.index), connection.end_reason);
    connection.memberships[slot] = connection.memberships.back();
    connection.memberships.pop_back();
    if (slot < connection.memberships.size()) {
        const Membership& moved = connection.memberships[slot];
        moved.room->members.at(moved.index).slot = static_cast<std::uint32_t>(slot);
    }
    room.members.remove(gone.index);
    room.members.compact([](MemberList<Connection>::Member& member, std::uint32_t index) {
        member.who->memberships[member.slot].index = index;
    });
    look_at(room);
}

void Rooms::look_at(LocalRoom& room) {
    if (room.members.empty() && !std::exchange(room.maybe_empty, true)) maybe_empty_.push_back(&room);
}

void Rooms::collect(LocalRoom& room, std::uint32_t index) {
    auto& member = room.members.at(index);
    if (awaits_walk(room, index)) {
        push_to_queue(*member.who, {room.walked, member.walked_from, room.walked->size()});
        member.walked_from = room.walked->size();
    }
    if (!room.open) return;
    push_to_queue(*member.who, {room.open, member.from, room.open->size()});
    member.from = room.open->size();
    room.has_offsets = true;
}

std::uint32_t Rooms::pending_frames(LocalRoom& room, std::uint32_t index) noexcept {
    const auto& member = room.members.at(index);
    std::uint32_t frames = 0;
    if (awaits_walk(room, index)) frames += room.walked->frames_between(member.walked_from, room.walked->size());
    if (room.open) frames += room.open->frames_between(member.from, room.open->size());
    return frames;
}

std::size_t Rooms::append(LocalRoom& room, const EncodedFrames& frames, Connection* except) {
    std::size_t reached = room.members.size();
    MemberList<Connection>::Member* skipped = nullptr;
    if (except != nullptr) {
        const auto found = std::ranges::find(except->memberships, &room, &Membership::room);
        if (found != except->memberships.end()) {
            collect(room, found->index);
            skipped = &room.members.at(found->index);
            --reached;
        }
    }
    if (reached == 0 || frames.ends.empty()) return reached;
    if (!room.open) room.open = Batch::make(state_.pinned_bytes);
    room.open->append_framed(frames.bytes, frames.ends);
    if (skipped != nullptr) {
        skipped->from = room.open->size();
        room.has_offsets = true;
    }
    state_.accounting.offer(reached * frames.ends.size());
    if (!std::exchange(room.dirty, true)) dirty_.push_back(&room);
    return reached;
}

void Rooms::sweep(const std::function<void(const LocalRoom&)>& gone) {
    std::erase_if(maybe_empty_, [&](LocalRoom* room) {
        if (room->members.empty() && (room->dirty || room->walked)) return false;  // the writer still holds it
        room->maybe_empty = false;
        if (!room->members.empty()) return true;
        gone(*room);
        rooms_.erase(rooms_.find(*room->key));
        return true;
    });
}

}  // namespace sluice::realtime
