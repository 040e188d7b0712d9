#include "tests/conformance/ws/rule.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace sluice::conformance::ws {

std::string join(const std::vector<std::string>& parts) {
    std::string all;
    for (const std::string& part : parts)
        all += part;
    return all;
}

std::string whole(const Rule& rule) {
    return join(rule.writes);
}

std::vector<std::string> in_pieces(std::string_view bytes, std::size_t size) {
    std::vector<std::string> pieces;
    for (std::size_t at = 0; at < bytes.size(); at += size)
        pieces.emplace_back(bytes.substr(at, size));
    return pieces;
}

std::string close_frame(std::uint16_t code, std::string_view reason) {
    const std::string body{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
    return masked_frame(8, body + std::string(reason));
}

std::string with_reserved(std::string frame, unsigned bits) {
    frame[0] = static_cast<char>(static_cast<unsigned char>(frame[0]) | (bits << 4));
    return frame;
}

std::string header(unsigned first, std::uint64_t length, std::size_t bytes, bool masked) {
    const std::uint64_t small = bytes == 0 ? length : bytes == 2 ? 126 : 127;
    std::string out{static_cast<char>(first), static_cast<char>(small | (masked ? 0x80 : 0))};
    for (std::size_t left = bytes; left > 0; --left)
        out.push_back(static_cast<char>(length >> ((left - 1) * 8)));
    return masked ? out + "mask" : out;
}

std::vector<std::string> fragments(std::uint8_t opcode, std::string_view payload, std::size_t size) {
    std::vector<std::string> frames;
    for (std::size_t at = 0; at < payload.size(); at += size) {
        const bool last = at + size >= payload.size();
        frames.push_back(masked_frame(at == 0 ? opcode : 0, payload.substr(at, size), last));
    }
    return frames;
}

Rule answered(std::string group, std::string id, std::vector<std::string> writes, std::vector<Seen> expected) {
    writes.push_back(close_frame(1000));
    expected.push_back(closed(1000));
    return {std::move(group), std::move(id), std::move(writes), std::move(expected)};
}

Rule failing(std::string group, std::string id, std::vector<std::string> writes, std::vector<Seen> before,
             std::uint16_t code) {
    before.push_back(closed(code));
    return {std::move(group), std::move(id), std::move(writes), std::move(before)};
}

Rules all_small_rules() {
    Rules all;
    for (Rules rules : {framing_rules(), fragment_rules(), utf8_rules(), close_rules(), own_rules()})
        std::ranges::move(rules, std::back_inserter(all));
    return all;
}

}  // namespace sluice::conformance::ws
