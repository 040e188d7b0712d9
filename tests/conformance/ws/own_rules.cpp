// What the public suite leaves out: masking, forms of lengths, limits, control frames at odd places, close reasons.
#include <array>

#include <fmt/format.h>

#include "tests/conformance/ws/rule.hpp"

namespace sluice::conformance::ws {
namespace {

const std::string kWord = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5";

class Numbered {
public:
    Numbered(Rules& rules, std::string name) : rules_(rules), name_(std::move(name)) {}
    Rule& good(std::vector<std::string> writes, std::vector<Seen> expected) {
        return keep(answered("own " + name_, id(), std::move(writes), std::move(expected)));
    }
    Rule& bad(std::vector<std::string> writes, std::vector<Seen> before, std::uint16_t code, std::size_t decided = 0) {
        Rule& rule = keep(failing("own " + name_, id(), std::move(writes), std::move(before), code));
        rule.decided = decided;
        return rule;
    }

private:
    std::string id() { return fmt::format("own.{}.{}", name_, ++number_); }
    Rule& keep(Rule rule) { return rules_.emplace_back(std::move(rule)); }

    Rules& rules_;
    std::string name_;
    int number_ = 0;
};

void add_masking(Rules& rules) {
    Numbered masks(rules, "masking");
    for (unsigned first : {0x81U, 0x82U, 0x01U, 0x88U, 0x89U, 0x8aU}) {
        masks.bad({header(first, 0, 0, false)}, {}, 1002, 2);
        masks.bad({header(first, 5, 0, false) + "hello"}, {}, 1002, 2);
    }
    masks.bad({header(0x81, 300, 2, false) + std::string(300, 'a')}, {}, 1002, 2);
    masks.bad({masked_frame(1, "good"), header(0x81, 3, 0, false) + "bad"}, {text("good")}, 1002);
    for (std::uint32_t mask : {0x00000000U, 0xffffffffU, 0x00000001U, 0x80000000U, 0x81828384U, 0x7f010203U}) {
        for (std::size_t size = 0; size <= 17; ++size) {
            const std::string payload = std::string("0123456789abcdefg").substr(0, size);
            masks.good({masked_frame(1, payload, true, mask)}, {text(payload)});
        }
    }
    masks.good({masked_frame(1, "one ", false, 0x01020304) + masked_frame(0, "two ", false, 0) +
                masked_frame(0, "three", true, 0xa1b2c3d4)},
               {text("one two three")});
}

void add_lengths(Rules& rules) {
    Numbered lengths(rules, "lengths");
    for (unsigned first : {0x81U, 0x82U}) {
        for (std::uint64_t length : {0UL, 1UL, 125UL})
            lengths.bad({header(first, length, 2)}, {}, 1002, 4);
        for (std::uint64_t length : {0UL, 1UL, 125UL, 126UL, 65'535UL})
            lengths.bad({header(first, length, 8)}, {}, 1002, 10);
        for (std::uint64_t length : {1UL << 63, ~0UL, (1UL << 63) | 5})
            lengths.bad({header(first, length, 8)}, {}, 1002, 10);
        for (std::uint64_t length : {1UL << 62, (1UL << 63) - 1, 1UL << 32, 1UL << 31, 16UL * 1024 * 1024 + 1})
            lengths.bad({header(first, length, 8)}, {}, 1009, 10);
    }
    for (unsigned first : {0x88U, 0x89U, 0x8aU}) {
        lengths.bad({header(first, 126, 2)}, {}, 1002, 2);
        lengths.bad({header(first, 5, 2)}, {}, 1002, 2);
        lengths.bad({header(first, 70'000, 8)}, {}, 1002, 2);
    }
    for (std::size_t size :
         std::initializer_list<std::size_t>{124, 125, 126, 127, 255, 256, 257, 1'000, 65'534, 65'535}) {
        const std::string payload(size, 'x');
        lengths.good({masked_frame(2, payload)}, {binary(payload)});
    }
}

void add_fragments(Rules& rules) {
    Numbered parts(rules, "fragments");
    for (std::size_t cut = 0; cut <= kWord.size(); ++cut) {
        const std::string first = masked_frame(1, kWord.substr(0, cut), false);
        const std::string second = masked_frame(0, kWord.substr(cut));
        parts.good({first, second}, {text(kWord)});
        parts.good({first, masked_frame(9, "\xff\xfe"), masked_frame(10, "x"), second},
                   {pong("\xff\xfe"), text(kWord)});
    }
    parts.bad({masked_frame(1, kWord.substr(0, 3), false), masked_frame(0, "")}, {}, 1007);
    parts.bad({masked_frame(1, kWord.substr(0, 1), false), masked_frame(0, "a")}, {}, 1007);
    parts.good({masked_frame(2, "\xff", false), masked_frame(0, "\xc0\x80")}, {binary("\xff\xc0\x80")});
    parts.good({masked_frame(1, kWord), masked_frame(2, "\xff"), masked_frame(1, "")},
               {text(kWord), binary("\xff"), text("")});
    const std::string begin = masked_frame(1, "begin", false);
    for (unsigned bits = 1; bits <= 7; ++bits)
        parts.bad({begin, with_reserved(masked_frame(0, "end"), bits)}, {}, 1002, begin.size() + 1);
    for (unsigned opcode : {1U, 2U, 3U, 7U, 11U, 15U})
        parts.bad({begin, masked_frame(static_cast<std::uint8_t>(opcode), "end")}, {}, 1002, begin.size() + 1);
    for (unsigned opcode : {8U, 9U, 10U})
        parts.bad({begin, masked_frame(static_cast<std::uint8_t>(opcode), "", false)}, {}, 1002, begin.size() + 1);
    parts.good({join(fragments(1, std::string(256, 'f'), 1))}, {text(std::string(256, 'f'))});
    std::vector<std::string> chatty;
    std::vector<Seen> expected;
    for (int i = 0; i < 12; ++i) {
        chatty.push_back(masked_frame(9, fmt::format("{}", i)));
        chatty.push_back(masked_frame(i == 0 ? 2 : 0, std::string(1, static_cast<char>('a' + i)), i == 11));
        expected.push_back(pong(fmt::format("{}", i)));
    }
    expected.push_back(binary("abcdefghijkl"));
    parts.good(chatty, expected);
}

void add_codes_and_reasons(Rules& rules) {
    Numbered codes(rules, "close codes");
    for (std::uint16_t code :
         std::initializer_list<std::uint16_t>{1012, 1013, 1014, 3001, 3998, 4001, 4100, 4404, 4998})
        codes.good({close_frame(code)}, {}).expected = {closed(code)};
    for (std::uint16_t code :
         std::initializer_list<std::uint16_t>{1, 125, 998, 1015, 1017, 1999, 2001, 5001, 32'768, 60'000})
        codes.bad({close_frame(code)}, {}, 1002);
    codes.bad({masked_frame(1, "begin", false), close_frame(1005)}, {}, 1002);
    Numbered reasons(rules, "close reasons");
    for (const Utf8Sample& sample : utf8_samples()) {
        if (sample.bytes.size() > 123) continue;
        if (sample.valid)
            reasons.good({close_frame(4000, sample.bytes)}, {}).expected = {closed(4000)};
        else
            reasons.bad({close_frame(4000, sample.bytes)}, {}, 1007);
    }
}

}  // namespace

Rules own_rules() {
    Rules rules;
    add_masking(rules);
    add_lengths(rules);
    add_fragments(rules);
    add_codes_and_reasons(rules);
    return rules;
}

}  // namespace sluice::conformance::ws
