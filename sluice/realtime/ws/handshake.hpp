// The opening handshake (RFC 6455 section 4.2) as a pure decision on a request's head.
//
//     const ws::UpgradeRequest request{.method = "GET", .http_minor = 1, .headers = headers};
//     auto answer = ws::evaluate(request, {.protocols = {ws::kSluiceV1}});
//     if (!answer) return refuse(answer.error());                     // status, headers and a text that says what to
//     do send(ws::response_head(*answer));                               // 101, then the socket is the hub's
#pragma once

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::realtime::ws {

/// The subprotocol of docs/protocol.md.
inline constexpr std::string_view kSluiceV1 = "sluice.v1.json";

struct HeaderView {
    std::string_view name;
    std::string_view value;
};

/// A request's head as it came, field names in any case, repeated fields kept.
struct UpgradeRequest {
    std::string_view method;
    int http_minor = 1;  ///< of HTTP/1.x
    std::span<const HeaderView> headers{};
};

struct HandshakeRules {
    std::vector<std::string_view> protocols{};  ///< that the endpoint speaks; the first offered one is chosen
    bool protocol_required = true;              ///< with protocols: a client that offers none of them is refused
    /// Exact serialised origins (`https://shop.example`); nothing: not checked. A request without Origin is not from a
    /// browser and passes.
    std::optional<std::vector<std::string_view>> origins{};
};

struct Accepted {
    std::string accept;    ///< Sec-WebSocket-Accept
    std::string protocol;  ///< chosen subprotocol, may be empty
};

struct Refused {
    unsigned status = 400;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string text;
};

/// Never throws but for lack of memory.
[[nodiscard]] std::expected<Accepted, Refused> evaluate(const UpgradeRequest& request, const HandshakeRules& rules);

/// Whether the request asks for an upgrade to WebSocket at all, well-formed or not.
[[nodiscard]] bool asks_for_websocket(const UpgradeRequest& request) noexcept;

/// `Sec-WebSocket-Accept` of a key.
[[nodiscard]] std::string accept_of(std::string_view key);

/// The 101 response, with its blank line.
[[nodiscard]] std::string response_head(const Accepted& accepted);

}  // namespace sluice::realtime::ws
