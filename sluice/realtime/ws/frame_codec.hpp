// RFC 6455 frames as a pure, incremental codec: it takes whatever bytes have come and answers with what is in them. It
// keeps no payload, allocates nothing and fails at the first byte that breaks a rule.
//
//     ws::FrameParser parser({.message_bytes = 65'536, .fragments = 256});
//     std::span<std::byte> input = …;                       // what was read; unmasked in place
//     while (true) {
//         const ws::FrameEvent event = parser.next(input);  // takes from the front of input
//         if (event.kind == ws::FrameEvent::Kind::need_more) break;
//         …
//     }
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "sluice/core/utf8.hpp"
#include "sluice/realtime/ws/close_code.hpp"

namespace sluice::realtime::ws {

enum class Opcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

/// Checked when a header is read, before a byte of its payload is kept.
struct FrameLimits {
    std::uint64_t message_bytes = 64 * 1024;  ///< over all fragments; more is 1009
    std::uint32_t fragments = 256;            ///< per message; more is 1009
};

/// What the next bytes were.
struct FrameEvent {
    enum class Kind : std::uint8_t {
        need_more,  ///< the input is used up
        data,       ///< a piece of a message, in order
        ping,
        pong,
        close,   ///< `code` and `payload` (the reason) as sent; code 0: none was sent
        failed,  ///< the peer broke a rule: close with `code`, `reason` says which; nothing more can be read
    };
    Kind kind = Kind::need_more;
    bool text = false;           ///< data: of a text message
    bool first = false;          ///< data: begins its message
    bool last = false;           ///< data: ends its message
    std::uint16_t code = 0;      ///< close and failed
    std::string_view payload{};  ///< unmasked; points into the input or the parser, valid until the next call
    std::string_view reason{};   ///< failed: for the close frame and the log
};

/// Reads what a client sends (masked frames). One per connection, needed only while `!at_rest()`.
class FrameParser {
public:
    explicit FrameParser(FrameLimits limits) noexcept : limits_(limits) {}

    /// Takes the next event from the front of `input`, whose bytes it unmasks in place. A `need_more` leaves it empty.
    [[nodiscard]] FrameEvent next(std::span<std::byte>& input) noexcept;

    /// Between messages with nothing held: a new parser would do as well.
    [[nodiscard]] bool at_rest() const noexcept { return stage_ == Stage::header && header_size_ == 0 && !in_message_; }
    /// Inside a message of which something has come.
    [[nodiscard]] bool in_message() const noexcept { return in_message_; }

private:
    enum class Stage : std::uint8_t { header, data, control, failed };

    struct Flaw {
        CloseCode code = CloseCode::protocol_error;
        const char* reason = nullptr;  // null: none
    };

    bool take_header(std::span<std::byte>& input) noexcept;
    [[nodiscard]] const char* flaw_of_opcode() const noexcept;
    [[nodiscard]] Flaw flaw_of_header() const noexcept;
    [[nodiscard]] std::uint64_t payload_length() const noexcept;
    void begin_payload() noexcept;
    FrameEvent take_data(std::span<std::byte>& input) noexcept;
    FrameEvent take_control(std::span<std::byte>& input) noexcept;
    FrameEvent finish_control(std::string_view payload) noexcept;
    FrameEvent fail(CloseCode code, std::string_view reason) noexcept;
    [[nodiscard]] std::size_t header_length() const noexcept;
    void unmask(std::span<std::byte> bytes) noexcept;

    FrameLimits limits_;
    std::uint64_t remaining_ = 0;      // of the frame's payload
    std::uint64_t message_bytes_ = 0;  // of the message so far, by the headers
    std::uint32_t fragments_ = 0;
    Stage stage_ = Stage::header;
    Opcode opcode_ = Opcode::continuation;
    bool fin_ = false;
    bool in_message_ = false;
    bool message_is_text_ = false;
    bool first_piece_ = false;
    std::uint8_t header_size_ = 0;
    std::uint8_t control_size_ = 0;
    std::uint8_t mask_phase_ = 0;
    core::Utf8Checker utf8_;
    std::array<std::byte, 4> mask_{};
    std::array<std::byte, 14> header_{};
    std::array<std::byte, 125> control_{};  // a control frame that came in pieces
};

/// Bytes of the header of an unmasked frame with `payload` bytes: 2, 4 or 10.
[[nodiscard]] std::size_t header_size(std::uint64_t payload) noexcept;
/// Appends the header of a whole, unmasked frame.
void append_header(std::string& out, Opcode opcode, std::uint64_t payload);
/// Appends a whole, unmasked frame.
void append_frame(std::string& out, Opcode opcode, std::string_view payload);
/// Appends a close frame; `reason` is cut to 123 bytes at a code point's border.
void append_close(std::string& out, CloseCode code, std::string_view reason);

}  // namespace sluice::realtime::ws
