// No text of a client makes the command parser throw; a refusal says why, and what is taken keeps the limits.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <variant>

#include "sluice/core/assert.hpp"
#include "sluice/core/json/node.hpp"
#include "sluice/realtime/protocol/commands.hpp"

namespace protocol = sluice::realtime::protocol;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto command = protocol::parse_command(text);
    if (!command) {
        SLUICE_ASSERT(!command.error().message.empty(), "refused without a reason");
        const auto& id = command.error().id;
        SLUICE_ASSERT(id.empty() || sluice::core::json::parse(id).has_value(), "an id that is no JSON: {}", id);
    } else if (const auto* event = std::get_if<protocol::ClientEvent>(&*command)) {
        SLUICE_ASSERT(event->event.size() <= protocol::kLargestEventName, "an event name of {} bytes",
                      event->event.size());
        SLUICE_ASSERT(sluice::core::json::parse(event->data_json).has_value(), "data that is no JSON: {}",
                      event->data_json);
    } else if (const auto* subscribe = std::get_if<protocol::Subscribe>(&*command)) {
        SLUICE_ASSERT(!subscribe->from || subscribe->from->epoch.size() <= protocol::kLargestEpoch, "a long epoch");
    }
    const auto envelope = protocol::parse_gateway_event(text);
    SLUICE_ASSERT(envelope || !envelope.error().message.empty(), "refused without a reason");
    return 0;
}
