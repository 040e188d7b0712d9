// The handle that hooks and handlers get: two words, cheap to copy, harmless once the connection is gone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "sluice/identity/identity.hpp"
#include "sluice/realtime/ids.hpp"

namespace sluice::realtime {

class HubShard;

enum class MessageKind : std::uint8_t { text, binary };

enum class Admission : std::uint8_t {
    accepted,
    overloaded,  ///< the home shard's queue is full; nothing was sent
};

/// Use on the connection's shard, which is where hooks and handlers run. A gone connection answers 0, false or null.
/// `data_json` is one JSON value; throws RealtimeError(bad_payload) if it is not, and nothing is sent.
class Client {
public:
    Client(HubShard& shard, ConnectionId id) noexcept : shard_(&shard), id_(id) {}

    [[nodiscard]] ConnectionId id() const noexcept { return id_; }
    /// Claims and tenant; shared with every connection of the same token.
    [[nodiscard]] std::shared_ptr<const identity::Identity> identity() const;

    /// Sends `{"event":…,"data":…}` to this connection. Answers how many got it: 1 or 0.
    std::size_t emit(std::string_view event, std::string_view data_json) const;

    /// Sends `payload` as it is, one message of `kind`, to a connection of a gateway. Answers how many got it: 1 or 0.
    /// Throws RealtimeError(bad_payload) for text that is not UTF-8, and sends nothing.
    std::size_t send(MessageKind kind, std::string_view payload) const;

    /// Rooms of the connection's tenant, by any name of 1 to 512 bytes. Joining twice is joining once.
    bool join_room(std::string_view room) const;
    bool leave_room(std::string_view room) const;
    /// To every member of the room, this connection included if it is one. Never waits for them.
    Admission broadcast_room(std::string_view room, std::string_view event, std::string_view data_json) const;

private:
    HubShard* shard_;
    ConnectionId id_;
};

}  // namespace sluice::realtime
