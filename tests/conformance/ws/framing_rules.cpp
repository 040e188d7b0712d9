// Groups 1 to 4: payload sizes, pings and pongs, reserved bits, opcodes.
#include <array>

#include <fmt/format.h>

#include "tests/conformance/ws/rule.hpp"

namespace sluice::conformance::ws {
namespace {

constexpr std::array<std::size_t, 8> kSizes{0, 125, 126, 127, 128, 65'535, 65'536, 65'536};
constexpr std::size_t kOddPiece = 997;

void add_sizes(Rules& rules) {
    for (int kind : {1, 2}) {
        for (std::size_t i = 0; i < kSizes.size(); ++i) {
            const std::string payload(kSizes[i], kind == 1 ? '*' : '\xfe');
            const std::string frame = masked_frame(static_cast<std::uint8_t>(kind), payload);
            const bool last = i + 1 == kSizes.size();
            Rule rule = answered(fmt::format("WebSocket 1.{}", kind), fmt::format("1.{}.{}", kind, i + 1),
                                 last ? in_pieces(frame, kOddPiece) : std::vector{frame},
                                 {kind == 1 ? text(payload) : binary(payload)});
            rule.sizes_of_a_server = payload.size() >= 65'536;
            rules.push_back(std::move(rule));
        }
    }
}

void add_pings(Rules& rules) {
    const std::string kGroup = "WebSocket 2";
    const std::string odd("\x00\xff\xfe\xfd\xfc\xfb\x00\xff", 8);
    const std::string long_one(125, '\xfe');
    const auto ping = [](const std::string& payload) { return masked_frame(9, payload); };
    rules.push_back(answered(kGroup, "2.1", {ping("")}, {pong("")}));
    rules.push_back(answered(kGroup, "2.2", {ping("Hello, world!")}, {pong("Hello, world!")}));
    rules.push_back(answered(kGroup, "2.3", {ping(odd)}, {pong(odd)}));
    rules.push_back(answered(kGroup, "2.4", {ping(long_one)}, {pong(long_one)}));
    rules.push_back(failing(kGroup, "2.5", {ping(long_one + "x")}, {}, 1002));
    rules.push_back(answered(kGroup, "2.6", in_pieces(ping(long_one), 1), {pong(long_one)}));
    rules.push_back(answered(kGroup, "2.7", {masked_frame(10, "")}, {}));
    rules.push_back(answered(kGroup, "2.8", {masked_frame(10, "unsolicited")}, {}));
    rules.push_back(answered(kGroup, "2.9", {masked_frame(10, "unsolicited"), ping("p")}, {pong("p")}));
    std::vector<std::string> ten;
    std::vector<Seen> pongs;
    for (int i = 0; i < 10; ++i) {
        ten.push_back(ping(fmt::format("payload-{}", i)));
        pongs.push_back(pong(fmt::format("payload-{}", i)));
    }
    rules.push_back(answered(kGroup, "2.10", ten, pongs));
    rules.push_back(answered(kGroup, "2.11", in_pieces(join(ten), 1), pongs));
}

/// A good message, a bad frame and a ping behind it: the message is answered, the ping is not.
Rule bad_frame(std::string group, std::string id, const std::string& bad, bool in_company, std::size_t piece = 0) {
    std::vector<std::string> writes{bad};
    std::vector<Seen> before;
    std::size_t ahead = 0;
    if (in_company) {
        writes = {masked_frame(1, "Hello, world!"), bad, masked_frame(9, "")};
        before = {text("Hello, world!")};
        ahead = writes[0].size();
    }
    if (piece > 0) writes = in_pieces(join(writes), piece);
    Rule rule = failing(std::move(group), std::move(id), std::move(writes), std::move(before), 1002);
    rule.decided = ahead + 1;  // the first byte of the bad frame says it
    return rule;
}

void add_reserved_bits(Rules& rules) {
    const std::string kGroup = "WebSocket 3";
    const std::string message = masked_frame(1, "Hello, world!");
    rules.push_back(bad_frame(kGroup, "3.1", with_reserved(message, 1), false));
    rules.push_back(bad_frame(kGroup, "3.2", with_reserved(message, 2), true));
    rules.push_back(bad_frame(kGroup, "3.3", with_reserved(message, 3), true));
    rules.push_back(bad_frame(kGroup, "3.4", with_reserved(message, 4), true, 1));
    rules.push_back(bad_frame(kGroup, "3.5", with_reserved(masked_frame(2, "\xff\xfe"), 5), false));
    rules.push_back(bad_frame(kGroup, "3.6", with_reserved(masked_frame(9, "p"), 6), false));
    rules.push_back(bad_frame(kGroup, "3.7", with_reserved(close_frame(1000), 7), false));
}

void add_opcodes(Rules& rules) {
    for (unsigned part : {1U, 2U}) {
        for (unsigned i = 0; i < 5; ++i) {
            const auto opcode = static_cast<std::uint8_t>((part == 1 ? 3 : 11) + i);
            const std::string bad = masked_frame(opcode, i == 0 ? "" : "reserved");
            rules.push_back(bad_frame(fmt::format("WebSocket 4.{}", part), fmt::format("4.{}.{}", part, i + 1), bad,
                                      i >= 2, i == 4 ? 1 : 0));
        }
    }
}

}  // namespace

Rules framing_rules() {
    Rules rules;
    add_sizes(rules);
    add_pings(rules);
    add_reserved_bits(rules);
    add_opcodes(rules);
    return rules;
}

}  // namespace sluice::conformance::ws
