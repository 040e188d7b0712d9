// From bytes to whole messages: a FrameParser and, while a message is incomplete, its bytes. A message that came whole
// is handed on where it lies.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/realtime/ws/frame_codec.hpp"

namespace sluice::realtime::ws {

/// Whether the reader should go on with the bytes behind.
enum class Proceed : std::uint8_t { yes, stop };

/// What a reader tells. `stop` leaves the rest of the bytes to the caller.
class MessageHandler {
public:
    virtual Proceed on_message(bool text, std::string_view payload) = 0;
    virtual Proceed on_ping(std::string_view payload) = 0;
    virtual Proceed on_pong() = 0;
    /// The peer's close frame; code 0: it named none.
    virtual void on_close(std::uint16_t code, std::string_view reason) = 0;
    /// The peer broke a rule.
    virtual void on_failure(CloseCode code, std::string_view reason) = 0;

protected:
    ~MessageHandler() = default;
};

/// Bounded by its limits: at most one message is held. Pure.
class MessageReader {
public:
    explicit MessageReader(FrameLimits limits) noexcept : parser_(limits) {}

    /// Tells `handler` everything in `bytes`, which it unmasks in place. Answers how many bytes it used: all of them,
    /// unless the handler stopped or the stream ended by a close frame or a failure.
    std::size_t feed(std::span<std::byte> bytes, MessageHandler& handler) {
        std::span<std::byte> rest = bytes;
        while (true) {
            const FrameEvent event = parser_.next(rest);
            if (event.kind == FrameEvent::Kind::need_more || dispatch(event, handler) == Proceed::stop) break;
        }
        return bytes.size() - rest.size();
    }

    /// Nothing is held; a new reader would do as well.
    [[nodiscard]] bool at_rest() const noexcept { return parser_.at_rest(); }

private:
    Proceed dispatch(const FrameEvent& event, MessageHandler& handler) {
        switch (event.kind) {
            case FrameEvent::Kind::data:
                return take(event, handler);
            case FrameEvent::Kind::ping:
                return handler.on_ping(event.payload);
            case FrameEvent::Kind::pong:
                return handler.on_pong();
            case FrameEvent::Kind::close:
                handler.on_close(event.code, event.payload);
                return Proceed::stop;
            case FrameEvent::Kind::failed:
                handler.on_failure(static_cast<CloseCode>(event.code), event.reason);
                return Proceed::stop;
            case FrameEvent::Kind::need_more:
                break;
        }
        return Proceed::stop;
    }

    Proceed take(const FrameEvent& event, MessageHandler& handler) {
        if (event.first && event.last) return handler.on_message(event.text, event.payload);
        message_.append(event.payload);
        if (!event.last) return Proceed::yes;
        const std::string whole = std::exchange(message_, {});
        return handler.on_message(event.text, whole);
    }

    FrameParser parser_;
    std::string message_;
};

}  // namespace sluice::realtime::ws
