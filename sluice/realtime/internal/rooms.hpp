// The members that this shard has of every channel, and the batch that each channel's frames of this turn go into.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <unordered_map>
#include <vector>

#include "sluice/realtime/internal/connection.hpp"
#include "sluice/realtime/internal/encoded.hpp"
#include "sluice/realtime/internal/member_list.hpp"
#include "sluice/realtime/internal/shard_state.hpp"

namespace sluice::realtime {

/// Lives while it has members, and then to the end of the turn.
struct LocalRoom {
    const RoomKey* key = nullptr;  ///< lives in the table of rooms
    MemberList<Connection> members;
    BatchRef open;    ///< frames since the last flush; null: none yet
    BatchRef walked;  ///< frozen, on its way to the members walk_at … walk_end
    std::uint32_t walk_at = 0;
    std::uint32_t walk_end = 0;
    std::uint64_t grant = 0;   ///< of the home's latest answer that this shard has seen
    bool dirty = false;        ///< in the list of rooms to flush
    bool maybe_empty = false;  ///< in the list of rooms to look at at the end of the turn
    bool has_offsets = false;  ///< some member joined within the open batch
};

/// Pure bookkeeping: touches connections' memberships and queues, no socket.
class Rooms {
public:
    explicit Rooms(ShardState& state) noexcept : state_(state) {}
    Rooms(const Rooms&) = delete;
    Rooms& operator=(const Rooms&) = delete;

    [[nodiscard]] LocalRoom* find(const RoomKey& key);
    /// Makes it if there is none.
    [[nodiscard]] LocalRoom& obtain(const RoomKey& key);

    [[nodiscard]] static bool is_member(const Connection& connection, const LocalRoom& room) noexcept;
    /// From the end of what the room's batch holds now. False if it is a member already.
    bool join(Connection& connection, LocalRoom& room);
    /// What the connection has not been handed yet goes into its queue first. False if it is no member.
    bool leave(Connection& connection, LocalRoom& room);
    /// Leaves every room; with `keep_pending` as `leave` does, else what was not handed over is discarded.
    void leave_all(Connection& connection, bool keep_pending);

    /// Offers frames to every member but `except`, which may be null; answers how many members.
    std::size_t append(LocalRoom& room, const EncodedFrames& frames, Connection* except);

    /// Forgets the room at the end of the turn if it has no members then.
    void look_at(LocalRoom& room);

    /// Rooms with frames to flush, in order of first append; the writer takes them.
    [[nodiscard]] std::vector<LocalRoom*>& dirty() noexcept { return dirty_; }

    /// Ends the turn: forgets rooms without members, after `gone(room)`.
    void sweep(const std::function<void(const LocalRoom&)>& gone);

    [[nodiscard]] std::size_t size() const noexcept { return rooms_.size(); }

    /// Moves what `room` still has for the member at `index` into its connection's queue.
    void collect(LocalRoom& room, std::uint32_t index);

private:
    void detach(Connection& connection, std::size_t slot, bool keep_pending);
    [[nodiscard]] std::uint32_t pending_frames(LocalRoom& room, std::uint32_t index) noexcept;

    ShardState& state_;
    std::unordered_map<RoomKey, LocalRoom, RoomKeyHash> rooms_;
    std::vector<LocalRoom*> dirty_;
    std::vector<LocalRoom*> maybe_empty_;
};

}  // namespace sluice::realtime
