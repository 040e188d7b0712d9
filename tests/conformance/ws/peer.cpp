#include "tests/conformance/ws/peer.hpp"

#include <stdexcept>

#include <fmt/format.h>

namespace sluice::conformance::ws {
namespace {

std::vector<Seen> of(const std::vector<Seen>& expected, bool pongs) {
    std::vector<Seen> picked;
    for (const Seen& one : expected)
        if (one.what != What::close && (one.what == What::pong) == pongs) picked.push_back(one);
    return picked;
}

std::string lengths(const std::vector<Seen>& seen) {
    std::string all;
    for (const Seen& one : seen)
        all += fmt::format(" {}", one.payload.size());
    return all;
}

/// A ping overtakes a message on its way out, so both are compared in their own order.
std::string flaw_of(const Rule& rule, const Answers& answers) {
    const std::vector<Seen> messages = of(rule.expected, false);
    const std::vector<Seen> pongs = of(rule.expected, true);
    if (answers.messages != messages)
        return fmt::format("{}: expected messages of{}, got{}", rule.id, lengths(messages), lengths(answers.messages));
    if (answers.pongs != pongs)
        return fmt::format("{}: expected pongs of{}, got{}", rule.id, lengths(pongs), lengths(answers.pongs));
    if (answers.closes.size() != 1 || answers.closes[0] != rule.expected.back().code)
        return fmt::format("{}: expected one close {}, got {}", rule.id, rule.expected.back().code,
                           fmt::join(answers.closes, " "));
    if (!answers.nothing_behind_the_close) return rule.id + ": frames behind the close frame";
    return {};
}

}  // namespace

std::string handshake_request(const std::string& path, const std::string& more_fields) {
    return "GET " + path +
           " HTTP/1.1\r\nHost: shop.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
           more_fields + "\r\n";
}

Answers parse_answers(std::string_view bytes) {
    Answers answers;
    while (!bytes.empty()) {
        std::size_t used = 0;
        const auto frame = testing::parse_server_frame(bytes, used);
        if (!frame) throw std::runtime_error(fmt::format("{} bytes that are no whole frame", bytes.size()));
        bytes.remove_prefix(used);
        if (!answers.closes.empty()) answers.nothing_behind_the_close = false;
        if (frame->opcode == 1) answers.messages.push_back(text(frame->payload));
        if (frame->opcode == 2) answers.messages.push_back(binary(frame->payload));
        if (frame->opcode == 8) answers.closes.push_back(frame->close_code());
        if (frame->opcode == 9) ++answers.pings;
        if (frame->opcode == 10) answers.pongs.push_back(pong(frame->payload));
    }
    return answers;
}

Peer::Peer(std::uint16_t port, const std::string& path) : wire_(port) {
    wire_.send(handshake_request(path));
    const testing::HttpAnswer answer = wire_.read_answer();
    if (answer.status != 101) throw std::runtime_error(fmt::format("the upgrade was answered {}", answer.status));
}

testing::WsFrame Peer::read_frame() {
    std::string bytes = wire_.read(2);
    std::size_t used = 0;
    const auto length = static_cast<unsigned char>(bytes[1]) & 0x7f;
    if (length > 125) bytes += wire_.read(length == 126 ? 2 : 8);
    std::uint64_t payload = static_cast<std::uint64_t>(length);
    if (length > 125) {
        payload = 0;
        for (const char c : std::string_view(bytes).substr(2))
            payload = (payload << 8) | static_cast<unsigned char>(c);
    }
    bytes += wire_.read(payload);
    return testing::parse_server_frame(bytes, used).value();
}

std::string run_rule(const Rule& rule, const std::vector<std::string>& writes, std::uint16_t port) {
    try {
        Peer peer(port);
        Answers first;
        for (const std::string& write : writes) {
            peer.wire().send(write);
            const bool is_ping = static_cast<unsigned char>(write[0]) == 0x89;
            if (rule.prompt && is_ping) first.pongs.push_back(pong(peer.read_frame().payload));
        }
        Answers answers = peer.read_to_the_end();
        answers.pongs.insert(answers.pongs.begin(), first.pongs.begin(), first.pongs.end());
        return flaw_of(rule, answers);
    } catch (const std::exception& error) {
        return fmt::format("{}: {}", rule.id, error.what());
    }
}

}  // namespace sluice::conformance::ws
