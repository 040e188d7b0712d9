// One connection as its shard sees it. Idle, it holds no buffer, queue or timer: those are borrowed while needed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sluice/identity/identity.hpp"
#include "sluice/realtime/address.hpp"
#include "sluice/realtime/gateway.hpp"
#include "sluice/realtime/ids.hpp"
#include "sluice/realtime/internal/accounting.hpp"
#include "sluice/realtime/internal/encoded.hpp"
#include "sluice/realtime/internal/outbound_queue.hpp"
#include "sluice/realtime/internal/timer_wheel.hpp"
#include "sluice/realtime/protocol/commands.hpp"
#include "sluice/realtime/transport.hpp"
#include "sluice/realtime/ws/message_reader.hpp"

namespace sluice::realtime {

struct LocalRoom;

/// A connection's side of a membership; the room's side points back.
struct Membership {
    LocalRoom* room = nullptr;
    std::uint32_t index = 0;  ///< in the room's member list
};

/// A subscription that waits for its home's answer.
struct PendingSubscribe {
    std::uint32_t token = 0;
    ChannelAddress channel;
    protocol::RequestId id;
};

/// What a connection needs while a message is incomplete or reading has stopped.
struct Intake {
    explicit Intake(ws::MessageReader from) : reader(std::move(from)) {}
    ws::MessageReader reader;
    std::string backlog;  ///< read, not yet looked at; at most one read buffer
};

enum class Phase : std::uint8_t {
    open,
    closing,    ///< gone for everyone; the close frame is on its way
    lingering,  ///< everything is written; waits for the peer's end
    ended,      ///< to be freed at the end of the turn
};

struct Connection {
    // Touched by every delivery.
    std::unique_ptr<Transport> transport;
    std::unique_ptr<OutboundQueue> queue;  ///< null: nothing waits
    std::vector<Membership> memberships;
    ConnectionId id;
    Phase phase = Phase::open;
    bool dirty = false;    ///< in the writer's list for this turn
    bool blocked = false;  ///< waits until the socket can be written
    bool reading = false;  ///< waits until the socket can be read
    bool paused = false;   ///< does not read: too many commands in flight
    bool pinged = false;   ///< since the last sign of life
    bool peer_closed = false;
    EndReason end_reason = EndReason::client;

    // Touched by what comes in.
    const GatewayConfig* gateway = nullptr;         ///< null: speaks sluice.v1
    std::shared_ptr<const identity::Identity> who;  // shared by all connections of a token
    std::unique_ptr<Intake> intake;
    std::unique_ptr<std::vector<PendingSubscribe>> pending;
    Tick last_life = 0;
    Tick ping_tick = 0;
    Tick progress_tick = 0;  ///< of the last write that moved something, while blocked
    Tick close_due = 0;      ///< with phase closing and lingering
    Tick rate_tick = 0;
    std::uint32_t rate_tokens = 0;
    std::uint32_t next_token = 0;
    std::uint16_t commands_in_flight = 0;
    std::uint16_t rate_strikes = 0;

    [[nodiscard]] Encoding encoding() const noexcept {
        return gateway == nullptr ? Encoding::sluice_v1 : Encoding::gateway;
    }
    [[nodiscard]] bool is_open() const noexcept { return phase == Phase::open; }
};

}  // namespace sluice::realtime
