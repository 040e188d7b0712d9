// Why a WebSocket ends: RFC 6455 section 7.4 and our own 4xxx, grouped by what the client should do next.
#pragma once

#include <cstdint>

namespace sluice::realtime::ws {

enum class CloseCode : std::uint16_t {
    normal = 1000,
    going_away = 1001,
    protocol_error = 1002,
    unsupported_data = 1003,
    not_utf8 = 1007,
    too_big = 1009,
    internal = 1011,
    // 41xx: come back and resume
    slow = 4100,
    draining = 4101,
    silent = 4102,
    position_lost = 4103,
    // 42xx: fetch a new token first
    expired = 4200,
    rights_changed = 4201,
    // 43xx: back off
    rate = 4300,
    too_many_connections = 4301,
    // 44xx: do not come back
    misuse = 4400,
    bad_token = 4401,
    suspended = 4403,
    unknown_tenant = 4404,
};

/// Whether a peer may send `code` in a close frame: 1000–1003, 1007–1014 and 3000–4999. 1004, 1005, 1006 and 1015 never
/// travel, the rest is not assigned.
[[nodiscard]] constexpr bool may_travel(std::uint16_t code) noexcept {
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

}  // namespace sluice::realtime::ws
