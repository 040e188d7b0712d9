// Group 5: fragmentation, and control frames between fragments.
#include <fmt/format.h>

#include "tests/conformance/ws/rule.hpp"

namespace sluice::conformance::ws {
namespace {

const std::string kFragments = "WebSocket 5";

/// The three ways of most rules: one write, one per frame, one per byte.
std::vector<std::vector<std::string>> three_ways(const std::vector<std::string>& frames) {
    return {{join(frames)}, frames, in_pieces(join(frames), 1)};
}

void add_answered(Rules& rules, int first, const std::vector<std::string>& frames, const std::vector<Seen>& expected) {
    for (const auto& writes : three_ways(frames))
        rules.push_back(answered(kFragments, fmt::format("5.{}", first++), writes, expected));
}

void add_failing(Rules& rules, int first, const std::vector<std::string>& frames, std::size_t decided) {
    for (const auto& writes : three_ways(frames)) {
        Rule rule = failing(kFragments, fmt::format("5.{}", first++), writes, {}, 1002);
        rule.decided = decided;
        rules.push_back(std::move(rule));
    }
}

void add_bad_sequences(Rules& rules) {
    const auto part = [](std::string_view payload, bool fin) { return masked_frame(0, payload, fin); };
    Rule again = failing(kFragments, "5.15",
                         {masked_frame(1, "fragment1", false), part("fragment2", true), part("fragment3", false),
                          masked_frame(1, "fragment4")},
                         {text("fragment1fragment2")}, 1002);
    again.decided = again.writes[0].size() + again.writes[1].size() + 1;
    rules.push_back(std::move(again));
    for (int i = 16; i <= 17; ++i) {
        std::vector<std::string> writes;
        for (int round = 0; round < 2; ++round) {
            writes.push_back(part("fragment1", i == 17));
            writes.push_back(masked_frame(1, "fragment2", false));
            writes.push_back(part("fragment3", true));
        }
        Rule rule = failing(kFragments, fmt::format("5.{}", i), writes, {}, 1002);
        rule.decided = 1;
        rules.push_back(std::move(rule));
    }
    Rule second =
        failing(kFragments, "5.18", {masked_frame(1, "fragment1", false), masked_frame(1, "fragment2")}, {}, 1002);
    second.decided = second.writes[0].size() + 1;
    rules.push_back(std::move(second));
}

}  // namespace

Rules fragment_rules() {
    Rules rules;
    for (std::uint8_t opcode : std::initializer_list<std::uint8_t>{9, 10}) {
        Rule rule = failing(kFragments, fmt::format("5.{}", opcode - 8),
                            {masked_frame(opcode, "fragment1", false), masked_frame(0, "fragment2")}, {}, 1002);
        rule.decided = 1;
        rules.push_back(std::move(rule));
    }
    const std::string first = masked_frame(1, "fragment1", false);
    const std::string second = masked_frame(0, "fragment2");
    add_answered(rules, 3, {first, second}, {text("fragment1fragment2")});
    add_answered(rules, 6, {first, masked_frame(9, "ping payload"), second},
                 {pong("ping payload"), text("fragment1fragment2")});
    add_failing(rules, 9, {masked_frame(0, "non-continuation payload"), masked_frame(1, "Hello, world!")}, 1);
    add_failing(rules, 12, {masked_frame(0, "non-continuation payload", false), masked_frame(1, "Hello, world!")}, 1);
    add_bad_sequences(rules);
    std::vector<std::string> five = fragments(1, "fragment1fragment2fragment3fragment4fragment5", 9);
    five.insert(five.begin() + 4, masked_frame(9, "pongme 2!"));
    five.insert(five.begin() + 2, masked_frame(9, "pongme 1!"));
    for (int i = 19; i <= 20; ++i) {
        // Not one pause of a second, but one until the answer is there.
        Rule rule =
            answered(kFragments, fmt::format("5.{}", i), five,
                     {pong("pongme 1!"), pong("pongme 2!"), text("fragment1fragment2fragment3fragment4fragment5")});
        if (i == 20) {
            std::vector<std::string> halves;
            for (const std::string& write : rule.writes) {
                halves.push_back(write.substr(0, 3));
                halves.push_back(write.substr(3));
            }
            rule.writes = halves;
        } else {
            rule.prompt = true;
        }
        rules.push_back(std::move(rule));
    }
    return rules;
}

}  // namespace sluice::conformance::ws
