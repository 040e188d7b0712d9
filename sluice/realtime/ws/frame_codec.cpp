#include "sluice/realtime/ws/frame_codec.hpp"

#include <algorithm>
#include <cstring>

namespace sluice::realtime::ws {
namespace {

constexpr unsigned kFin = 0x80;
constexpr unsigned kReserved = 0x70;
constexpr unsigned kMasked = 0x80;
constexpr std::size_t kLargestControl = 125;
constexpr std::uint8_t kLength16 = 126;
constexpr std::uint8_t kLength64 = 127;
constexpr std::size_t kMaskBytes = 4;

constexpr bool is_control(Opcode opcode) noexcept {
    return static_cast<unsigned>(opcode) >= 8;
}

constexpr bool is_known(unsigned opcode) noexcept {
    return opcode <= 2 || (opcode >= 8 && opcode <= 10);
}

std::string_view text_of(std::span<const std::byte> bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::uint64_t big_endian(std::span<const std::byte> bytes) noexcept {
    std::uint64_t value = 0;
    for (const std::byte byte : bytes)
        value = (value << 8) | std::to_integer<std::uint64_t>(byte);
    return value;
}

}  // namespace

FrameEvent FrameParser::next(std::span<std::byte>& input) noexcept {
    while (true) {
        switch (stage_) {
            case Stage::failed:
                input = {};
                return {};
            case Stage::header: {
                const bool whole = take_header(input);
                if (const Flaw flaw = flaw_of_header(); flaw.reason != nullptr) return fail(flaw.code, flaw.reason);
                if (!whole) return {};
                begin_payload();
                break;
            }
            case Stage::data: {
                if (input.empty() && remaining_ > 0) return {};
                const FrameEvent event = take_data(input);
                if (event.kind != FrameEvent::Kind::need_more) return event;
                break;
            }
            case Stage::control: {
                if (input.empty() && remaining_ > 0) return {};
                const FrameEvent event = take_control(input);
                if (event.kind != FrameEvent::Kind::need_more) return event;
                break;
            }
        }
    }
}

/// How many bytes the header has, as far as its first two bytes are known.
std::size_t FrameParser::header_length() const noexcept {
    if (header_size_ < 2) return 2;
    const unsigned length = std::to_integer<unsigned>(header_[1]) & 0x7f;
    return 2 + kMaskBytes + (length == kLength64 ? 8 : length == kLength16 ? 2 : 0);
}

/// Collects the header; false when more is needed.
bool FrameParser::take_header(std::span<std::byte>& input) noexcept {
    for (std::size_t wanted = header_length(); header_size_ < wanted; wanted = header_length()) {
        const std::size_t count = std::min(wanted - header_size_, input.size());
        if (count == 0) return false;
        std::memcpy(header_.data() + header_size_, input.data(), count);
        header_size_ = static_cast<std::uint8_t>(header_size_ + count);
        input = input.subspan(count);
    }
    return true;
}

const char* FrameParser::flaw_of_opcode() const noexcept {
    const unsigned first = std::to_integer<unsigned>(header_[0]);
    const unsigned opcode = first & 0x0f;
    if ((first & kReserved) != 0) return "a reserved bit is set without an extension";
    if (!is_known(opcode)) return "reserved opcode";
    if (is_control(static_cast<Opcode>(opcode))) return (first & kFin) == 0 ? "fragmented control frame" : nullptr;
    if (opcode == 0 && !in_message_) return "continuation without a message";
    if (opcode != 0 && in_message_) return "new message inside a fragmented one";
    return nullptr;
}

/// What is wrong with as much of the header as has come: a peer that stops in the middle of a bad one is told at once.
FrameParser::Flaw FrameParser::flaw_of_header() const noexcept {
    constexpr CloseCode kBroken = CloseCode::protocol_error;
    if (header_size_ == 0) return {};
    if (const char* const reason = flaw_of_opcode()) return {kBroken, reason};
    if (header_size_ < 2) return {};
    const unsigned second = std::to_integer<unsigned>(header_[1]);
    const auto opcode = static_cast<Opcode>(std::to_integer<unsigned>(header_[0]) & 0x0f);
    if ((second & kMasked) == 0) return {kBroken, "client frames have to be masked"};
    if (is_control(opcode)) {
        if ((second & 0x7f) > kLargestControl) return {kBroken, "control frame longer than 125 bytes"};
        return {};
    }
    const std::size_t extended = header_length() - 2 - kMaskBytes;
    if (header_size_ < 2 + extended) return {};
    const std::uint64_t length = payload_length();
    if ((extended == 2 && length < kLength16) || (extended == 8 && length <= 0xffff))
        return {kBroken, "length not in its shortest form"};
    if ((length >> 63) != 0) return {kBroken, "length of 2^63 or more"};
    const bool begins = opcode != Opcode::continuation;
    const std::uint64_t before = begins ? 0 : message_bytes_;
    if (length > limits_.message_bytes - std::min(before, limits_.message_bytes))
        return {CloseCode::too_big, "message too large"};
    if ((begins ? 0 : fragments_) >= limits_.fragments) return {CloseCode::too_big, "message in too many fragments"};
    return {};
}

std::uint64_t FrameParser::payload_length() const noexcept {
    const std::size_t extended = header_length() - 2 - kMaskBytes;
    if (extended == 0) return std::to_integer<std::uint64_t>(header_[1]) & 0x7f;
    return big_endian(std::span(header_).subspan(2, extended));
}

/// Takes over a whole header without flaws.
void FrameParser::begin_payload() noexcept {
    const unsigned first = std::to_integer<unsigned>(header_[0]);
    const std::span<const std::byte> header(header_.data(), header_size_);
    remaining_ = payload_length();
    std::ranges::copy(header.last(kMaskBytes), mask_.begin());
    mask_phase_ = 0;
    header_size_ = 0;
    fin_ = (first & kFin) != 0;
    opcode_ = static_cast<Opcode>(first & 0x0f);
    if (is_control(opcode_)) {
        control_size_ = 0;
        stage_ = Stage::control;
        return;
    }
    if (opcode_ != Opcode::continuation) {
        message_bytes_ = 0;
        fragments_ = 0;
        message_is_text_ = opcode_ == Opcode::text;
        utf8_ = {};
        in_message_ = true;
        first_piece_ = true;
    }
    message_bytes_ += remaining_;
    ++fragments_;
    stage_ = Stage::data;
}

FrameEvent FrameParser::take_data(std::span<std::byte>& input) noexcept {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, input.size()));
    const std::span<std::byte> piece = input.first(count);
    input = input.subspan(count);
    remaining_ -= count;
    unmask(piece);
    if (message_is_text_ && !utf8_.feed(text_of(piece))) return fail(CloseCode::not_utf8, "text that is not UTF-8");
    FrameEvent event{.kind = FrameEvent::Kind::data, .text = message_is_text_, .first = first_piece_};
    if (remaining_ == 0) {
        stage_ = Stage::header;
        if (fin_) {
            if (message_is_text_ && !utf8_.complete())
                return fail(CloseCode::not_utf8, "text that ends inside a character");
            in_message_ = false;
            event.last = true;
        }
    }
    if (count == 0 && !event.last) return {};
    first_piece_ = false;
    event.payload = text_of(piece);
    return event;
}

FrameEvent FrameParser::take_control(std::span<std::byte>& input) noexcept {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, input.size()));
    const std::span<std::byte> piece = input.first(count);
    input = input.subspan(count);
    remaining_ -= count;
    unmask(piece);
    if (remaining_ == 0 && control_size_ == 0) return finish_control(text_of(piece));
    std::ranges::copy(piece, control_.begin() + control_size_);
    control_size_ = static_cast<std::uint8_t>(control_size_ + count);
    if (remaining_ > 0) return {};
    return finish_control(text_of(std::span(control_).first(control_size_)));
}

FrameEvent FrameParser::finish_control(std::string_view payload) noexcept {
    stage_ = Stage::header;
    if (opcode_ == Opcode::ping) return {.kind = FrameEvent::Kind::ping, .payload = payload};
    if (opcode_ == Opcode::pong) return {.kind = FrameEvent::Kind::pong, .payload = payload};
    if (payload.empty()) return {.kind = FrameEvent::Kind::close};
    if (payload.size() == 1) return fail(CloseCode::protocol_error, "close frame with half a code");
    const auto code = static_cast<std::uint16_t>(static_cast<unsigned char>(payload[0]) << 8 |
                                                 static_cast<unsigned char>(payload[1]));
    if (!may_travel(code)) return fail(CloseCode::protocol_error, "close code that must not be sent");
    if (!core::is_utf8(payload.substr(2))) return fail(CloseCode::not_utf8, "close reason that is not UTF-8");
    return {.kind = FrameEvent::Kind::close, .code = code, .payload = payload.substr(2)};
}

FrameEvent FrameParser::fail(CloseCode code, std::string_view reason) noexcept {
    stage_ = Stage::failed;
    return {.kind = FrameEvent::Kind::failed, .code = static_cast<std::uint16_t>(code), .reason = reason};
}

void FrameParser::unmask(std::span<std::byte> bytes) noexcept {
    std::array<std::byte, 8> key;
    for (std::size_t i = 0; i < key.size(); ++i)
        key[i] = mask_[(mask_phase_ + i) % kMaskBytes];
    std::uint64_t wide_key = 0;
    std::memcpy(&wide_key, key.data(), sizeof wide_key);
    std::size_t at = 0;
    for (; at + sizeof wide_key <= bytes.size(); at += sizeof wide_key) {
        std::uint64_t word = 0;
        std::memcpy(&word, bytes.data() + at, sizeof word);
        word ^= wide_key;
        std::memcpy(bytes.data() + at, &word, sizeof word);
    }
    for (; at < bytes.size(); ++at)
        bytes[at] ^= key[at % key.size()];
    mask_phase_ = static_cast<std::uint8_t>((mask_phase_ + bytes.size()) % kMaskBytes);
}

std::size_t header_size(std::uint64_t payload) noexcept {
    if (payload < kLength16) return 2;
    return payload <= 0xffff ? 4 : 10;
}

void append_header(std::string& out, Opcode opcode, std::uint64_t payload) {
    const std::size_t size = header_size(payload);
    out.push_back(static_cast<char>(kFin | static_cast<unsigned>(opcode)));
    if (size == 2) {
        out.push_back(static_cast<char>(payload));
        return;
    }
    out.push_back(static_cast<char>(size == 4 ? kLength16 : kLength64));
    for (std::size_t left = size - 2; left > 0; --left)
        out.push_back(static_cast<char>(payload >> ((left - 1) * 8)));
}

void append_frame(std::string& out, Opcode opcode, std::string_view payload) {
    append_header(out, opcode, payload.size());
    out.append(payload);
}

void append_close(std::string& out, CloseCode code, std::string_view reason) {
    std::size_t length = std::min<std::size_t>(reason.size(), kLargestControl - 2);
    while (length < reason.size() && length > 0 && (static_cast<unsigned char>(reason[length]) & 0xc0) == 0x80)
        --length;
    append_header(out, Opcode::close, length + 2);
    out.push_back(static_cast<char>(static_cast<unsigned>(code) >> 8));
    out.push_back(static_cast<char>(static_cast<unsigned>(code) & 0xff));
    out.append(reason.substr(0, length));
}

}  // namespace sluice::realtime::ws
