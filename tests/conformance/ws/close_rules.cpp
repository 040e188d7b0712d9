// Group 7: the closing handshake, its codes and reasons.
#include <fmt/format.h>

#include "tests/conformance/ws/rule.hpp"

namespace sluice::conformance::ws {
namespace {

Rule closing(std::string group, std::string id, std::vector<std::string> writes, std::vector<Seen> expected) {
    return {std::move(group), std::move(id), std::move(writes), std::move(expected)};
}

void add_order(Rules& rules) {
    const std::string group = "WebSocket 7.1";
    const std::string hello = masked_frame(1, "Hello World!");
    const std::string bye = close_frame(1000);
    rules.push_back(closing(group, "7.1.1", {hello, bye}, {text("Hello World!"), closed(1000)}));
    rules.push_back(closing(group, "7.1.2", {bye, bye}, {closed(1000)}));
    rules.push_back(closing(group, "7.1.3", {bye, masked_frame(9, "p")}, {closed(1000)}));
    rules.push_back(closing(group, "7.1.4", {bye, hello}, {closed(1000)}));
    rules.push_back(closing(group, "7.1.5", {masked_frame(1, "fragment1", false), bye, masked_frame(0, "fragment2")},
                            {closed(1000)}));
    const std::string large(256 * 1024, 'B');
    Rule rule = closing(group, "7.1.6", {masked_frame(1, large), hello, bye, masked_frame(9, "")},
                        {text(large), text("Hello World!"), closed(1000)});
    rule.sizes_of_a_server = true;
    rules.push_back(std::move(rule));
}

void add_bodies(Rules& rules) {
    const std::string group = "WebSocket 7.3-7.5";
    rules.push_back(closing(group, "7.3.1", {masked_frame(8, "")}, {closed(1000)}));
    rules.push_back(closing(group, "7.3.2", {masked_frame(8, "a")}, {closed(1002)}));
    rules.push_back(closing(group, "7.3.3", {close_frame(1000)}, {closed(1000)}));
    rules.push_back(closing(group, "7.3.4", {close_frame(1000, "Hello World!")}, {closed(1000)}));
    rules.push_back(closing(group, "7.3.5", {close_frame(1000, std::string(123, '*'))}, {closed(1000)}));
    Rule rule = closing(group, "7.3.6", {close_frame(1000, std::string(124, '*'))}, {closed(1002)});
    rule.decided = 2;
    rules.push_back(std::move(rule));
    rules.push_back(closing(group, "7.5.1",
                            {close_frame(1000,
                                         "\xce\xba\xe1\xbd\xb9\xed\xa0\x80"
                                         "edited")},
                            {closed(1007)}));
}

void add_codes(Rules& rules) {
    int number = 1;
    for (std::uint16_t code : std::initializer_list<std::uint16_t>{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011,
                                                                   3000, 3999, 4000, 4999})
        rules.push_back(
            closing("WebSocket 7.7-7.13", fmt::format("7.7.{}", number++), {close_frame(code)}, {closed(code)}));
    number = 1;
    for (std::uint16_t code : std::initializer_list<std::uint16_t>{0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999})
        rules.push_back(
            closing("WebSocket 7.7-7.13", fmt::format("7.9.{}", number++), {close_frame(code)}, {closed(1002)}));
    number = 1;
    for (std::uint16_t code : std::initializer_list<std::uint16_t>{5000, 65'535})
        rules.push_back(
            closing("WebSocket 7.7-7.13", fmt::format("7.13.{}", number++), {close_frame(code)}, {closed(1002)}));
}

}  // namespace

Rules close_rules() {
    Rules rules;
    add_order(rules);
    add_bodies(rules);
    add_codes(rules);
    return rules;
}

}  // namespace sluice::conformance::ws
