// What the hub says in sluice.v1 and to gateways: functions that append one message's text. `data` and `state` are JSON
// values already.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sluice/realtime/channel_source.hpp"
#include "sluice/realtime/ids.hpp"
#include "sluice/realtime/protocol/commands.hpp"
#include "sluice/realtime/ws/close_code.hpp"

namespace sluice::realtime::protocol {

/// A position by reference, for encoding.
struct PositionView {
    std::string_view epoch;
    core::Version version;
};

struct Welcome {
    ConnectionId connection;
    std::chrono::milliseconds ping_interval;
    std::size_t subscriptions;
    std::size_t commands_in_flight;
    std::size_t message_bytes;
};
void append_welcome(std::string& out, const Welcome& welcome);

/// `{"type":"subscribed",…,"<member>":` – the value of `member` and `}` follow; an empty member closes at once.
void append_subscribed_head(std::string& out, std::string_view id_json, std::string_view channel,
                            const std::optional<PositionView>& position, std::string_view member);
/// `[{"version":…,"event":…,"data":…},…]`, the value of `frames`.
void append_frames_array(std::string& out, std::span<const Frame> frames);

void append_unsubscribed(std::string& out, std::string_view id_json, std::string_view channel);
void append_ok(std::string& out, std::string_view id_json);
void append_delta(std::string& out, std::string_view channel, std::string_view epoch, const Frame& frame);

struct Event {
    std::string_view channel;  ///< empty: to the connection or the tenant
    std::optional<PositionView> position;
    std::string_view event;
    std::string_view data_json;
    bool from_client = false;
};
void append_event(std::string& out, const Event& event);

/// `{"type":"reset",…,"state":` – state and `}` follow – or closed at once when the client has to load it itself.
void append_reset_head(std::string& out, std::string_view channel, const PositionView& position, bool with_state);
void append_position(std::string& out, std::string_view channel, const PositionView& position);
void append_ping(std::string& out);
void append_error(std::string& out, std::string_view id_json, ErrorCode code, std::string_view message, bool retry);
void append_bye(std::string& out, ws::CloseCode code, std::string_view reason,
                std::chrono::milliseconds reconnect_after);

/// `{"event":…,"data":…}`
void append_gateway_event(std::string& out, std::string_view event, std::string_view data_json);
/// The same with `"event":"error"` and code, message as data.
void append_gateway_error(std::string& out, ErrorCode code, std::string_view message);

}  // namespace sluice::realtime::protocol
