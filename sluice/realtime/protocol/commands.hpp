// What a client of sluice.v1 may say (docs/protocol.md), parsed strictly and never throwing.
//
//     auto command = protocol::parse_command(text);
//     if (!command) return reply(command.error());              // code and message for the client, its id if it gave
//     one
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sluice/core/ids.hpp"

namespace sluice::realtime::protocol {

enum class ErrorCode : std::uint8_t {
    bad_request,
    unauthorized,
    forbidden,
    limit,
    rate,
    too_large,
    overloaded,
    internal
};

/// As on the wire: "bad_request", …
[[nodiscard]] std::string_view to_string(ErrorCode code) noexcept;

/// A client's name for a command as JSON text, to be repeated in the answer; empty if it gave none.
using RequestId = std::string;

inline constexpr std::size_t kLargestRequestId = 64;
inline constexpr std::size_t kLargestEpoch = 64;
inline constexpr std::size_t kLargestEventName = 128;

struct Position {
    std::string epoch;
    core::Version version;
};

struct Subscribe {
    RequestId id;
    std::string channel;
    std::optional<Position> from;
};
/// `resume` as subscriptions without ids.
struct Hello {
    std::vector<Subscribe> resume;
};
struct Unsubscribe {
    RequestId id;
    std::string channel;
};
struct ClientEvent {
    RequestId id;
    std::string channel;
    std::string event;
    std::string data_json;
};
struct Refresh {
    RequestId id;
};
struct Pong {};

using Command = std::variant<Hello, Subscribe, Unsubscribe, ClientEvent, Refresh, Pong>;

struct CommandError {
    RequestId id;
    ErrorCode code = ErrorCode::bad_request;
    std::string message;
};

[[nodiscard]] std::expected<Command, CommandError> parse_command(std::string_view text);

/// `{"event": name, "data": …}`, the envelope of gateways.
struct GatewayEvent {
    std::string event;
    std::string data_json = "null";
};
[[nodiscard]] std::expected<GatewayEvent, CommandError> parse_gateway_event(std::string_view text);

}  // namespace sluice::realtime::protocol
