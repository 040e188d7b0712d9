// HubShard: rooms, what homes send, and what connections are told.
#include <algorithm>
#include <utility>

#include "sluice/core/error.hpp"
#include "sluice/realtime/internal/hub_shard.hpp"
#include "sluice/realtime/protocol/encode.hpp"

namespace sluice::realtime {
namespace {

constexpr std::size_t kCopiedState = 4096;  // a state up to this size travels in one piece with its envelope

runtime::Task<void> guarded_handler(HubShard& shard, ConnectionId id, const EventHandler& handler,
                                    std::string data_json) {
    std::string failure;
    try {
        co_await handler(Client(shard, id), std::move(data_json));
    } catch (const std::exception& error) {
        failure = error.what();
    }
    Connection* const connection = shard.find_open(id);
    if (!failure.empty()) {
        shard.config().log.warn("handler of a gateway event failed: {}", failure);
        std::string text;
        protocol::append_gateway_error(text, protocol::ErrorCode::internal, "the event could not be handled");
        if (connection != nullptr) shard.reply(*connection, text);
    } else if (connection != nullptr) {
        shard.finish_command(*connection, 1);
    }
}

}  // namespace

bool HubShard::join_room(ConnectionId id, std::string_view name) {
    Connection* const connection = find_open(id);
    if (connection == nullptr || name.empty() || name.size() > kLargestSegment) return false;
    if (connection->memberships.size() >= config_.settings.max_subscriptions) return false;
    const RoomKey key{Hub::room(connection->who->tenant, name), connection->encoding()};
    LocalRoom* room = rooms_.find(key);
    if (room == nullptr) {
        room = &rooms_.obtain(key);
        at_home(
            hash_of(key.channel), [key, shard = index()](HubShard& home) { home.homes().join(key, shard); },
            Refusable::no);
    }
    return rooms_.join(*connection, *room);
}

bool HubShard::leave_room(ConnectionId id, std::string_view name) {
    Connection* const connection = find_open(id);
    return connection != nullptr && leave(*connection, Hub::room(connection->who->tenant, name));
}

bool HubShard::leave(Connection& connection, const ChannelAddress& channel) {
    LocalRoom* const room = rooms_.find({channel, connection.encoding()});
    if (room == nullptr || !rooms_.leave(connection, *room)) return false;
    writer_.touch(connection);
    return true;
}

std::size_t HubShard::send(ConnectionId id, std::string_view event, std::string_view data_json) {
    Connection* const connection = find_open(id);
    if (connection == nullptr) return 0;
    std::string text;
    if (connection->gateway != nullptr)
        protocol::append_gateway_event(text, event, data_json);
    else
        protocol::append_event(text, {{}, std::nullopt, event, data_json, false});
    say(*connection, text);
    return 1;
}

std::size_t HubShard::send_message(ConnectionId id, ws::Opcode opcode, std::string_view payload) {
    Connection* const connection = find_open(id);
    if (connection == nullptr || connection->gateway == nullptr) return 0;
    state_.accounting.offer(1);
    const std::uint32_t from = state_.replies->size();
    state_.replies->append_frame(opcode, payload);
    writer_.push(*connection, {state_.replies, from, state_.replies->size()}, SliceKind::data);
    return 1;
}

// From homes

void HubShard::deliver(const RoomKey& key, const Delivery& delivery) {
    LocalRoom* const room = rooms_.find(key);
    std::size_t reached = 0;
    if (room != nullptr) {
        Connection* const except = delivery.except == ConnectionId{} ? nullptr : find_open(delivery.except);
        reached = rooms_.append(*room, *delivery.frames, except);
        if (except != nullptr) writer_.touch(*except);
    }
    if (delivery.counter) delivery.counter->report(reached);
}

std::optional<PendingSubscribe> HubShard::take_pending(Connection& connection, std::uint32_t token) {
    if (!connection.pending) return std::nullopt;
    const auto found = std::ranges::find(*connection.pending, token, &PendingSubscribe::token);
    if (found == connection.pending->end()) return std::nullopt;
    PendingSubscribe taken = std::move(*found);
    connection.pending->erase(found);
    if (connection.pending->empty()) connection.pending.reset();
    return taken;
}

void HubShard::answer(const AnswerMessage& message) {
    // The home counts this shard among those with members from here on, so the room exists even if nobody joins it now.
    LocalRoom& room = rooms_.obtain({message.channel, Encoding::sluice_v1});
    room.grant = message.grant;
    Connection* const connection = find_open(message.connection);
    const auto pending = connection == nullptr ? std::nullopt : take_pending(*connection, message.token);
    if (!pending) return rooms_.look_at(room);
    if (message.kind == AnswerKind::state) {
        reply_state(*connection, message, pending->id);
    } else {
        std::string text;
        const bool positioned = message.kind != AnswerKind::plain;
        std::optional<protocol::PositionView> at;
        if (positioned) at = protocol::PositionView{message.position.epoch, message.position.version};
        protocol::append_subscribed_head(text, pending->id, format_channel(message.channel), at,
                                         positioned ? "frames" : "");
        if (positioned) text += (message.frames_json ? *message.frames_json : "[]") + "}";
        reply(*connection, text);
    }
    if (message.kind == AnswerKind::lost) {
        std::string text;
        protocol::append_reset_head(text, format_channel(message.channel),
                                    {message.position.epoch, message.position.version}, false);
        say(*connection, text);
    }
    if (message.catch_up) {
        const std::uint32_t from = state_.replies->size();
        state_.replies->append_framed(message.catch_up->bytes, message.catch_up->ends);
        state_.accounting.offer(message.catch_up->ends.size());
        writer_.push(*connection, {state_.replies, from, state_.replies->size()}, SliceKind::data);
    }
    if (connection->is_open()) rooms_.join(*connection, room);
    rooms_.look_at(room);
}

/// A large state is not copied per subscriber: only the envelope is each one's own.
void HubShard::reply_state(Connection& connection, const AnswerMessage& message, std::string_view id) {
    std::string head;
    protocol::append_subscribed_head(head, id, format_channel(message.channel),
                                     protocol::PositionView{message.position.epoch, message.position.version}, "state");
    if (message.state->size() <= kCopiedState) return reply(connection, head + *message.state + "}");
    std::string framed_head;
    ws::append_header(framed_head, ws::Opcode::text, head.size() + message.state->size() + 1);
    framed_head += head;
    state_.accounting.offer(1);
    const std::uint32_t from = state_.replies->size();
    state_.replies->append_part(framed_head, false);
    writer_.push(connection, {state_.replies, from, state_.replies->size()}, SliceKind::reply);
    const BatchRef state = Batch::of_shared(state_.pinned_bytes, message.state);
    writer_.push(connection, {state, 0, state->size()}, SliceKind::reply);
    const std::uint32_t tail = state_.replies->size();
    state_.replies->append_part("}", true);
    writer_.push(connection, {state_.replies, tail, state_.replies->size()}, SliceKind::reply);
}

void HubShard::refuse(const RefusalMessage& message) {
    Connection* const connection = find_open(message.connection);
    const auto pending = connection == nullptr ? std::nullopt : take_pending(*connection, message.token);
    if (!pending) return;
    const bool hidden = message.code == protocol::ErrorCode::forbidden;
    std::string text;
    protocol::append_error(text, pending->id, message.code,
                           hidden ? "not allowed for this channel" : "the channel's state cannot be read now", !hidden);
    reply(*connection, text);
}

void HubShard::lose_members(const RoomKey& key) {
    LocalRoom* const room = rooms_.find(key);
    if (room == nullptr) return;
    std::vector<ConnectionId> members;
    for (std::uint32_t i = 0; i < room->members.end_index(); ++i)
        if (const Connection* const who = room->members.at(i).who) members.push_back(who->id);
    state_.counters.lost_positions += members.size();
    for (const ConnectionId id : members)
        if (Connection* const connection = find_open(id))
            close(*connection, {ws::CloseCode::position_lost, "the channel's position is lost", EndReason::kicked});
}

// To connections

Slice HubShard::append_text(std::string_view text) {
    const std::uint32_t from = state_.replies->size();
    state_.replies->append_frame(ws::Opcode::text, text);
    return {state_.replies, from, state_.replies->size()};
}

void HubShard::reply(Connection& connection, std::string_view text) {
    if (!connection.is_open()) return;
    state_.accounting.offer(1);
    writer_.push(connection, append_text(text), SliceKind::reply);
}

void HubShard::say(Connection& connection, std::string_view text) {
    state_.accounting.offer(1);
    writer_.push(connection, append_text(text), SliceKind::data);
}

void HubShard::send_control(Connection& connection, ws::Opcode opcode, std::string_view payload) {
    const std::uint32_t from = state_.replies->size();
    state_.replies->append_frame(opcode, payload);
    writer_.push_control(connection, {state_.replies, from, state_.replies->size()});
}

void HubShard::subscribe(Connection& connection, PendingSubscribe pending, std::optional<protocol::Position> from) {
    SubscribeRequest request{pending.channel, index(), connection.id, pending.token, std::move(from)};
    if (!connection.pending) connection.pending = std::make_unique<std::vector<PendingSubscribe>>();
    connection.pending->push_back(std::move(pending));
    const std::uint64_t hash = hash_of(request.channel);
    at_home(hash, [request = std::move(request)](HubShard& home) { home.homes().subscribe(request); }, Refusable::no);
}

void HubShard::cancel_pending(Connection& connection, const ChannelAddress& channel) {
    if (!connection.pending) return;
    const auto found = std::ranges::find(*connection.pending, channel, &PendingSubscribe::channel);
    if (found == connection.pending->end()) return;
    const auto cancelled = take_pending(connection, found->token);
    std::string text;
    protocol::append_error(text, cancelled->id, protocol::ErrorCode::bad_request, "unsubscribed before it was answered",
                           false);
    reply(connection, text);
}

void HubShard::run_handler(Connection& connection, const EventHandler& handler, std::string data_json) {
    handlers_.spawn("gateway event", guarded_handler(*this, connection.id, handler, std::move(data_json)));
}

}  // namespace sluice::realtime
