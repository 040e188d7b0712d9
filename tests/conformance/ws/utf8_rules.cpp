// Group 6: text is UTF-8, and fails at the first byte that nothing could mend.
#include <algorithm>

#include <fmt/format.h>

#include "tests/conformance/ws/rule.hpp"

namespace sluice::conformance::ws {
namespace {

constexpr std::size_t kSmallHeader = 6;  // of a masked frame below 126 bytes
const std::string kGreek = "Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4\xc3\xbc\xc3\xa0\xc3\xa1-UTF-8!!";
const std::string kGreekWord = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5";

std::string group_of(const std::string& id) {
    const std::size_t dot = id.rfind('.');
    const int number = std::stoi(id.substr(2, dot - 2));
    return number < 5 ? "WebSocket 6." + id.substr(2, dot - 2) : "WebSocket 6.5-6.23";
}

void add_valid(Rules& rules) {
    const std::string middle = "middle frame payload";
    const auto add = [&rules](const std::string& id, std::vector<std::string> writes, const std::string& message) {
        rules.push_back(answered(group_of(id), id, std::move(writes), {text(message)}));
    };
    add("6.1.1", {masked_frame(1, "")}, "");
    add("6.1.2", {masked_frame(1, "", false), masked_frame(0, "", false), masked_frame(0, "")}, "");
    add("6.1.3", {masked_frame(1, "", false), masked_frame(0, middle, false), masked_frame(0, "")}, middle);
    add("6.2.1", {masked_frame(1, kGreek)}, kGreek);
    add("6.2.2", {masked_frame(1, kGreek.substr(0, 12), false), masked_frame(0, kGreek.substr(12))}, kGreek);
    add("6.2.3", fragments(1, kGreek, 1), kGreek);
    add("6.2.4", fragments(1, kGreekWord, 1), kGreekWord);
}

/// The frame header in front of each fragment is counted, too.
std::size_t decided_in_fragments(std::string_view message, std::size_t size) {
    const std::size_t bad = first_impossible(message);
    return bad + kSmallHeader * ((bad + size - 1) / size);
}

void add_invalid(Rules& rules) {
    const std::string surrogate = kGreekWord + "\xed\xa0\x80" + "edited";
    Rule one = failing("WebSocket 6.3", "6.3.1", {masked_frame(1, surrogate)}, {}, 1007);
    one.decided = kSmallHeader + first_impossible(surrogate);
    rules.push_back(std::move(one));
    Rule bytes = failing("WebSocket 6.3", "6.3.2", fragments(1, surrogate, 1), {}, 1007);
    bytes.decided = decided_in_fragments(surrogate, 1);
    rules.push_back(std::move(bytes));
}

/// Three parts of which the second makes it impossible; in three frames or in three writes of one.
void add_fail_fast(Rules& rules) {
    const std::vector<std::vector<std::string>> cuts{{kGreekWord, "\xf4\x90\x80\x80", "edited"},
                                                     {kGreekWord + "\xf4", "\x90",
                                                      "\x80\x80"
                                                      "edited"}};
    int number = 1;
    for (bool framed : {true, false}) {
        for (const auto& parts : cuts) {
            Rule rule = failing("WebSocket 6.4", fmt::format("6.4.{}", number++), {}, {}, 1007);
            const std::string message = join(parts);
            if (framed) {
                rule.writes = {masked_frame(1, parts[0], false), masked_frame(0, parts[1], false),
                               masked_frame(0, parts[2])};
                rule.decided = first_impossible(message) + 2 * kSmallHeader;
            } else {
                const std::string frame = masked_frame(1, message);
                const std::size_t first = kSmallHeader + parts[0].size();
                rule.writes = {frame.substr(0, first), frame.substr(first, parts[1].size()),
                               frame.substr(first + parts[1].size())};
                rule.decided = first_impossible(message) + kSmallHeader;
            }
            rules.push_back(std::move(rule));
        }
    }
}

}  // namespace

Rules utf8_rules() {
    Rules rules;
    add_valid(rules);
    add_invalid(rules);
    add_fail_fast(rules);
    for (const Utf8Sample& sample : utf8_samples()) {
        const std::string frame = masked_frame(1, sample.bytes);
        if (sample.valid) {
            rules.push_back(answered(group_of(sample.id), sample.id, {frame}, {text(sample.bytes)}));
            continue;
        }
        Rule rule = failing(group_of(sample.id), sample.id, {frame}, {}, 1007);
        // A string that only lacks its end fails with the frame's last byte.
        rule.decided = kSmallHeader + std::min(first_impossible(sample.bytes), sample.bytes.size());
        rules.push_back(std::move(rule));
    }
    return rules;
}

}  // namespace sluice::conformance::ws
