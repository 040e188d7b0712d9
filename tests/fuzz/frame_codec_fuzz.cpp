// What the WebSocket parser reads does not depend on how the bytes came in pieces, and it keeps its limits.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "sluice/core/assert.hpp"
#include "sluice/realtime/ws/frame_codec.hpp"

namespace ws = sluice::realtime::ws;

namespace {

constexpr ws::FrameLimits kLimits{.message_bytes = 4'096, .fragments = 8};

/// Everything read, as text: pieces of one message are joined, so that it is the same however it was cut.
std::string transcript(std::span<const std::byte> bytes, std::size_t piece) {
    ws::FrameParser parser(kLimits);
    std::string out;
    std::size_t in_message = 0;
    while (!bytes.empty()) {
        std::vector<std::byte> chunk(bytes.begin(),
                                     bytes.begin() + static_cast<std::ptrdiff_t>(std::min(piece, bytes.size())));
        bytes = bytes.subspan(chunk.size());
        std::span<std::byte> input(chunk);
        while (true) {
            const ws::FrameEvent event = parser.next(input);
            using Kind = ws::FrameEvent::Kind;
            if (event.kind == Kind::need_more) break;
            if (event.kind == Kind::failed)
                return out + " failed " + std::to_string(event.code) + " " + std::string(event.reason);
            if (event.kind == Kind::data) {
                if (event.first) out += event.text ? " text:" : " binary:";
                in_message = event.first ? event.payload.size() : in_message + event.payload.size();
                SLUICE_ASSERT(in_message <= kLimits.message_bytes, "a message of {} bytes", in_message);
                out += event.payload;
                if (event.last) out += ".";
            } else if (event.kind != Kind::close) {
                // A control frame may stand between the pieces of a message; where exactly is not what is compared.
                SLUICE_ASSERT(event.payload.size() <= 125, "a control frame of {} bytes", event.payload.size());
            } else {
                return out + " close " + std::to_string(event.code) + " " + std::string(event.payload);
            }
        }
        SLUICE_ASSERT(input.empty(), "{} bytes were not taken", input.size());
    }
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const auto bytes = std::as_bytes(std::span(data + 1, size - 1));
    const std::string whole = transcript(bytes, bytes.size());
    const std::string pieces = transcript(bytes, 1 + data[0] % 16);
    // A frame that fails may have handed out more of its message before, when it came in pieces.
    const auto verdict = [](const std::string& text) {
        return text.substr(std::min(text.rfind(" failed "), text.size()));
    };
    SLUICE_ASSERT(verdict(whole) == verdict(pieces), "'{}' or '{}'", whole, pieces);
    if (verdict(whole).empty()) SLUICE_ASSERT(whole == pieces, "'{}' or '{}'", whole, pieces);
    return 0;
}
