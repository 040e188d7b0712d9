// From batches to sockets, at the end of every turn: one `send` of a room's batch for a connection that has nothing
// else, one `sendmsg` of all its slices for every other. docs/realtime.md, "Writing".
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "sluice/realtime/internal/connection.hpp"
#include "sluice/realtime/internal/connection_table.hpp"
#include "sluice/realtime/internal/rooms.hpp"
#include "sluice/realtime/internal/shard_state.hpp"

namespace sluice::realtime {

/// What the writer finds out. Called while it walks: connections may be closed or ended, none is freed before the turn
/// ends.
class WriterEvents {
public:
    /// The socket failed.
    virtual void on_write_failed(Connection& connection) = 0;
    /// Over its limits.
    virtual void on_too_slow(Connection& connection) = 0;
    /// `replies` answers to commands are on their way.
    virtual void on_replies_sent(Connection& connection, std::uint32_t replies) = 0;
    /// A closing connection has nothing left to send.
    virtual void on_drained(Connection& connection) = 0;

protected:
    ~WriterEvents() = default;
};

/// One per shard.
class Writer {
public:
    Writer(ShardState& state, ConnectionTable& table, Rooms& rooms, WriterEvents& events,
           TransportEvents& transport_events);

    /// Appends to what `connection` has to send this turn.
    void push(Connection& connection, Slice slice, SliceKind kind);
    /// False if too many control frames wait.
    bool push_control(Connection& connection, Slice frame);
    /// Something was put into its queue by other hands.
    void touch(Connection& connection);
    /// The socket can be written again.
    void unblock(Connection& connection);

    /// To every open connection of a tenant that is there now.
    struct TenantFrames {
        tenant::TenantId tenant;
        SharedFrames frames[kEncodings];
        SharedCounter counter;
    };
    void broadcast(TenantFrames frames);

    /// Writes what this turn may. True: there is more, ask for another turn.
    bool flush();

    /// Nothing is left to do but what waits for a socket.
    [[nodiscard]] bool idle() const noexcept {
        return small_walks_.empty() && large_walks_.empty() && dirty_.empty() && rooms_.dirty().empty() &&
               tenants_.empty();
    }

private:
    struct TenantWalk {
        TenantFrames what;
        BatchRef batches[kEncodings];
        std::uint32_t at = 0;
        std::uint32_t end = 0;
        std::size_t reached = 0;
    };

    void freeze(LocalRoom& room);
    void finish(LocalRoom& room);
    bool walk(LocalRoom& room, std::size_t& visits, std::size_t& sends);
    void visit(LocalRoom& room, MemberList<Connection>::Member& member, std::size_t& sends);
    void walk_rooms();
    void walk_each(std::vector<LocalRoom*>& walks, std::size_t& visits);
    void walk_tenants();
    void flush_connections();
    void write_direct(Connection& connection, const BatchRef& batch, std::uint32_t from);
    void write_queue(Connection& connection);
    void after_write(Connection& connection);
    void check_limits(Connection& connection);
    void recycle(Connection& connection);
    OutboundQueue& queue_of(Connection& connection);

    ShardState& state_;
    ConnectionTable& table_;
    Rooms& rooms_;
    WriterEvents& events_;
    TransportEvents& transport_events_;
    std::vector<LocalRoom*> small_walks_;  // frozen, in order of their first frame
    std::vector<LocalRoom*> large_walks_;
    std::deque<TenantWalk> tenants_;
    std::vector<ConnectionId> dirty_;
    std::vector<std::unique_ptr<OutboundQueue>> spare_queues_;
};

}  // namespace sluice::realtime
