#include "sluice/realtime/client.hpp"

#include "sluice/core/utf8.hpp"
#include "sluice/realtime/hub.hpp"
#include "sluice/realtime/internal/hub_shard.hpp"
#include "sluice/realtime/internal/payload.hpp"

namespace sluice::realtime {

std::shared_ptr<const identity::Identity> Client::identity() const {
    const Connection* const connection = shard_->table().find(id_);
    return connection == nullptr ? nullptr : connection->who;
}

std::size_t Client::emit(std::string_view event, std::string_view data_json) const {
    check_payload(event, data_json, shard_->config().settings.max_event_bytes);
    return shard_->send(id_, event, data_json);
}

std::size_t Client::send(MessageKind kind, std::string_view payload) const {
    const bool text = kind == MessageKind::text;
    if (text && !core::is_utf8(payload)) throw RealtimeError(ErrorKind::bad_payload, "the text is not UTF-8");
    return shard_->send_message(id_, text ? ws::Opcode::text : ws::Opcode::binary, payload);
}

bool Client::join_room(std::string_view room) const {
    return shard_->join_room(id_, room);
}

bool Client::leave_room(std::string_view room) const {
    return shard_->leave_room(id_, room);
}

Admission Client::broadcast_room(std::string_view room, std::string_view event, std::string_view data_json) const {
    check_payload(event, data_json, shard_->config().settings.max_event_bytes);
    const auto who = identity();
    if (!who) return Admission::accepted;
    EventRequest request{Hub::room(who->tenant, room), std::string(event), std::string(data_json), {}, false, nullptr};
    const std::uint64_t hash = hash_of(request.channel);
    const bool taken =
        shard_->at_home(hash, [request = std::move(request)](HubShard& home) { home.homes().event(request); });
    return taken ? Admission::accepted : Admission::overloaded;
}

}  // namespace sluice::realtime
