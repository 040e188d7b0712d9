#include "sluice/realtime/internal/payload.hpp"

#include <fmt/format.h>

#include "sluice/core/json/node.hpp"
#include "sluice/core/utf8.hpp"
#include "sluice/realtime/error.hpp"
#include "sluice/realtime/protocol/commands.hpp"

namespace sluice::realtime {

void check_payload(std::string_view event, std::string_view data_json, std::size_t largest) {
    if (event.empty() || event.size() > protocol::kLargestEventName || !core::is_utf8(event))
        throw RealtimeError(ErrorKind::bad_payload,
                            fmt::format("an event's name has 1 to {} bytes of UTF-8", protocol::kLargestEventName));
    if (data_json.size() > largest)
        throw RealtimeError(ErrorKind::bad_payload, fmt::format("data of event '{}' has {} bytes, more than {}", event,
                                                                data_json.size(), largest));
    const auto parsed = core::json::parse(data_json, {.bytes = data_json.size(), .safe_integers = true});
    if (!parsed)
        throw RealtimeError(ErrorKind::bad_payload, fmt::format("data of event '{}' cannot be sent: {}", event,
                                                                core::json::to_string(parsed.error())));
}

}  // namespace sluice::realtime
