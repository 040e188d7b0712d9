#include "sluice/realtime/internal/session.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "sluice/realtime/protocol/encode.hpp"

namespace sluice::realtime {
namespace {

using protocol::ErrorCode;

// What the hub itself says; a client's event by such a name could be mistaken for it.
constexpr std::array<std::string_view, 12> kReservedEvents{
    "delta", "reset", "position", "event", "joined", "left", "ping", "pong", "error", "bye", "welcome", "subscribed"};

// The same words whether the channel exists or not.
constexpr std::string_view kForbidden = "not allowed for this channel";

}  // namespace

ws::Proceed Session::proceed() const noexcept {
    return connection_.is_open() && shard_.may_take_commands(connection_) ? ws::Proceed::yes : ws::Proceed::stop;
}

/// Takes a token of the connection's bucket; any frame is a sign of life, too.
bool Session::within_rate() {
    const ShardState& state = shard_.state();
    const HubSettings& settings = state.settings;
    connection_.last_life = state.tick;
    connection_.pinged = false;
    if (const Tick elapsed = state.tick - std::exchange(connection_.rate_tick, state.tick); elapsed > 0) {
        const auto earned = std::uint64_t{elapsed} * static_cast<std::uint64_t>(settings.tick.count()) *
                            settings.inbound_per_second / 1000;
        connection_.rate_tokens = static_cast<std::uint32_t>(
            std::min<std::uint64_t>(settings.inbound_burst, connection_.rate_tokens + earned));
        if (connection_.rate_tokens > settings.inbound_burst / 2) connection_.rate_strikes = 0;
    }
    if (connection_.rate_tokens > 0) {
        --connection_.rate_tokens;
        return true;
    }
    if (++connection_.rate_strikes > settings.max_rate_strikes)
        shard_.close(connection_, {ws::CloseCode::rate, "too many messages", EndReason::misuse});
    return false;
}

void Session::refuse(std::string_view id, ErrorCode code, std::string_view message, bool retry) {
    std::string text;
    if (connection_.gateway != nullptr)
        protocol::append_gateway_error(text, code, message);
    else
        protocol::append_error(text, id, code, message, retry);
    shard_.reply(connection_, text);
}

void Session::refuse_over_rate() {
    if (!connection_.is_open()) return;
    ++connection_.commands_in_flight;
    refuse({}, ErrorCode::rate, "too many messages; send fewer", true);
}

ws::Proceed Session::on_message(bool text, std::string_view payload) {
    if (!within_rate()) {
        refuse_over_rate();
    } else if (connection_.gateway != nullptr) {
        on_gateway_message(text, payload);
    } else if (text) {
        on_command(payload);
    } else {
        shard_.close(connection_, {ws::CloseCode::unsupported_data, "sluice.v1 is text", EndReason::misuse});
    }
    return proceed();
}

ws::Proceed Session::on_ping(std::string_view payload) {
    if (within_rate()) shard_.send_control(connection_, ws::Opcode::pong, payload);
    return proceed();
}

ws::Proceed Session::on_pong() {
    within_rate();
    return proceed();
}

void Session::on_close(std::uint16_t code, std::string_view) {
    connection_.peer_closed = true;
    const auto echo = code == 0 ? ws::CloseCode::normal : static_cast<ws::CloseCode>(code);
    shard_.close(connection_, {echo, "", EndReason::client, false});
}

void Session::on_failure(ws::CloseCode code, std::string_view reason) {
    shard_.close(connection_, {code, reason, EndReason::misuse, false});
}

void Session::on_gateway_message(bool text, std::string_view payload) {
    const GatewayConfig& gateway = *connection_.gateway;
    if (gateway.on_message) {
        gateway.on_message(Client(shard_, connection_.id), text ? MessageKind::text : MessageKind::binary, payload);
        return;
    }
    if (!text)
        return shard_.close(connection_, {ws::CloseCode::unsupported_data, "events are text", EndReason::misuse});
    ++connection_.commands_in_flight;
    auto event = protocol::parse_gateway_event(payload);
    if (!event) return refuse({}, event.error().code, event.error().message);
    const auto handler = gateway.handlers.find(event->event);
    if (handler == gateway.handlers.end())
        return refuse({}, ErrorCode::bad_request, fmt::format("no handler for event {}", event->event));
    shard_.run_handler(connection_, handler->second, std::move(event->data_json));
}

void Session::on_command(std::string_view payload) {
    auto command = protocol::parse_command(payload);
    if (!command) {
        ++connection_.commands_in_flight;
        return refuse(command.error().id, command.error().code, command.error().message);
    }
    std::visit([this](auto& one) { handle(std::move(one)); }, *command);
}

bool Session::permits(const char* action, const ChannelAddress& channel, const NamespaceConfig& config) const {
    return config.policy.permits(action, *connection_.who, {channel.tenant, channel.ns, channel.name});
}

void Session::handle(protocol::Hello hello) {
    for (protocol::Subscribe& subscribe : hello.resume)
        handle(std::move(subscribe));
}

void Session::handle(protocol::Subscribe subscribe) {
    ++connection_.commands_in_flight;
    auto channel = parse_channel(connection_.who->tenant, subscribe.channel);
    if (!channel) return refuse(subscribe.id, ErrorCode::bad_request, to_string(channel.error()));
    const NamespaceConfig* const config = shard_.config().find_namespace(channel->ns);
    if (config == nullptr || !permits(kSubscribe, *channel, *config))
        return refuse(subscribe.id, ErrorCode::forbidden, kForbidden);
    const std::size_t waiting = connection_.pending ? connection_.pending->size() : 0;
    if (connection_.pending && std::ranges::count(*connection_.pending, *channel, &PendingSubscribe::channel) > 0)
        return refuse(subscribe.id, ErrorCode::bad_request, "this channel is being subscribed to already");
    const bool again = shard_.leave(connection_, *channel);
    if (!again && connection_.memberships.size() + waiting >= shard_.state().settings.max_subscriptions)
        return refuse(subscribe.id, ErrorCode::limit, "too many subscriptions on this connection");
    shard_.subscribe(connection_, {++connection_.next_token, std::move(*channel), std::move(subscribe.id)},
                     std::move(subscribe.from));
}

void Session::handle(protocol::Unsubscribe unsubscribe) {
    ++connection_.commands_in_flight;
    const auto channel = parse_channel(connection_.who->tenant, unsubscribe.channel);
    if (!channel) return refuse(unsubscribe.id, ErrorCode::bad_request, to_string(channel.error()));
    shard_.cancel_pending(connection_, *channel);
    shard_.leave(connection_, *channel);
    std::string text;
    protocol::append_unsubscribed(text, unsubscribe.id, unsubscribe.channel);
    shard_.reply(connection_, text);
}

void Session::handle(protocol::ClientEvent event) {
    ++connection_.commands_in_flight;
    auto channel = parse_channel(connection_.who->tenant, event.channel);
    if (!channel) return refuse(event.id, ErrorCode::bad_request, to_string(channel.error()));
    const NamespaceConfig* const config = shard_.config().find_namespace(channel->ns);
    if (config == nullptr || !config->client_events || !permits(kPublish, *channel, *config))
        return refuse(event.id, ErrorCode::forbidden, kForbidden);
    if (std::ranges::count(kReservedEvents, event.event) > 0)
        return refuse(event.id, ErrorCode::bad_request, fmt::format("the event name {} is reserved", event.event));
    if (event.data_json.size() > config->max_event_bytes)
        return refuse(event.id, ErrorCode::too_large,
                      fmt::format("data has more than {} bytes", config->max_event_bytes));
    EventRequest request{std::move(*channel), std::move(event.event), std::move(event.data_json), {}, true, nullptr};
    const std::uint64_t hash = hash_of(request.channel);
    if (!shard_.at_home(hash, [request = std::move(request)](HubShard& home) { home.homes().event(request); }))
        return refuse(event.id, ErrorCode::overloaded, "the channel's shard is overloaded", true);
    if (event.id.empty()) return shard_.finish_command(connection_, 1);
    std::string text;
    protocol::append_ok(text, event.id);
    shard_.reply(connection_, text);
}

void Session::handle(protocol::Refresh refresh) {
    ++connection_.commands_in_flight;
    refuse(refresh.id, ErrorCode::unauthorized, "this server takes no tokens here");
}

}  // namespace sluice::realtime
