// The strings of groups 6.5 to 6.23, made from code points, and the length at which each becomes impossible.
#include <algorithm>
#include <array>
#include <cstddef>

#include <fmt/format.h>

#include "tests/conformance/ws/rule.hpp"

namespace sluice::conformance::ws {
namespace {

/// `point` in exactly `length` bytes, whether that is allowed or not.
std::string encode(std::uint32_t point, std::size_t length) {
    constexpr std::array<unsigned, 7> kLead{0, 0x00, 0xc0, 0xe0, 0xf0, 0xf8, 0xfc};
    std::string bytes;
    for (std::size_t i = 0; i < length; ++i) {
        const std::uint32_t bits = point >> (6 * (length - 1 - i));
        bytes.push_back(static_cast<char>(i == 0 ? kLead[length] | bits : 0x80 | (bits & 0x3f)));
    }
    return bytes;
}

std::string encode(std::uint32_t point) {
    return encode(point, point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4);
}

const std::string kKosme = encode(0x3ba) + encode(0x1f79) + encode(0x3c3) + encode(0x3bc) + encode(0x3b5);

class Samples {
public:
    void group(int number) {
        group_ = number;
        next_ = 1;
    }
    void add(std::string bytes, bool valid) {
        list.push_back({fmt::format("6.{}.{}", group_, next_++), std::move(bytes), valid});
    }
    std::vector<Utf8Sample> list;

private:
    int group_ = 0;
    int next_ = 1;
};

void add_borders(Samples& s) {
    s.group(5);  // some valid strings
    for (const std::string& text : {std::string("hello$world"), "hello" + encode(0xa2) + "world",
                                    "hello" + encode(0x20ac) + "world", "hello" + encode(0x24b62) + "world", kKosme})
        s.add(text, true);
    s.group(6);  // all prefixes of a string of multi-byte code points
    const std::array<std::size_t, 5> whole_points{2, 5, 7, 9, 11};
    for (std::size_t length = 1; length <= kKosme.size(); ++length)
        s.add(kKosme.substr(0, length), std::ranges::count(whole_points, length) > 0);
    s.group(7);  // the first code point of each length
    for (std::uint32_t point : {0U, 0x80U, 0x800U, 0x10000U})
        s.add(encode(point), true);
    s.group(8);  // of five and six bytes
    s.add(encode(0x200000, 5), false);
    s.add(encode(0x4000000, 6), false);
    s.group(9);  // the last code point of each length
    for (std::uint32_t point : {0x7fU, 0x7ffU, 0xffffU, 0x10ffffU})
        s.add(encode(point), true);
    s.group(10);
    s.add(encode(0x1fffff, 4), false);
    s.add(encode(0x3ffffff, 5), false);
    s.add(encode(0x7fffffff, 6), false);
    s.group(11);  // around the surrogates and the end
    for (std::uint32_t point : {0xd7ffU, 0xe000U, 0xfffdU, 0x10ffffU, 0x110000U})
        s.add(encode(point), point <= 0x10ffff);
}

void add_broken(Samples& s) {
    s.group(12);  // continuation bytes alone
    s.add("\x80", false);
    s.add("\xbf", false);
    std::string run = "\x80";
    for (std::size_t length = 2; length <= 6; ++length) {
        run.push_back(length % 2 == 0 ? '\xbf' : '\x80');
        s.add(run, false);
    }
    std::string every;
    for (int byte = 0x80; byte <= 0xbf; ++byte)
        every.push_back(static_cast<char>(byte));
    s.add(every, false);
    s.group(13);  // first bytes alone, each with a space behind
    for (const auto& [from, to] : {std::pair{0xc0, 0xdf}, {0xe0, 0xef}, {0xf0, 0xf7}, {0xf8, 0xfb}, {0xfc, 0xfd}}) {
        std::string leads;
        for (int byte = from; byte <= to; ++byte)
            leads += std::string{static_cast<char>(byte), ' '};
        s.add(leads, false);
    }
    s.group(14);  // the last byte missing
    std::string all;
    for (std::uint32_t largest : {0U, 1U}) {
        for (std::size_t length = 2; length <= 6; ++length) {
            const std::uint32_t limit = length == 2 ? 0x7ff : length == 3 ? 0xffff : 0x1fffffU << (5 * (length - 4));
            const std::uint32_t top = limit | (length >= 4 ? (1U << (5 * (length - 4))) - 1 : 0);
            const std::string cut = encode(largest == 0 ? 0 : top, length).substr(0, length - 1);
            all += cut;
            s.add(cut, false);
        }
    }
    s.group(15);
    s.add(all, false);
    s.group(16);  // bytes that never occur
    for (const char* bytes : {"\xfe", "\xff", "\xfe\xfe\xff\xff"})
        s.add(bytes, false);
}

void add_forbidden(Samples& s) {
    s.group(17);  // '/' in too many bytes
    for (std::size_t length = 2; length <= 6; ++length)
        s.add(encode('/', length), false);
    s.group(18);  // the largest code point of the length below
    for (const auto& [point, length] :
         {std::pair<std::uint32_t, std::size_t>{0x7f, 2}, {0x7ff, 3}, {0xffff, 4}, {0x1fffff, 5}, {0x3ffffff, 6}})
        s.add(encode(point, length), false);
    s.group(19);  // NUL in too many bytes
    for (std::size_t length = 2; length <= 6; ++length)
        s.add(encode(0, length), false);
    s.group(20);
    for (std::uint32_t point : {0xd800U, 0xdb7fU, 0xdb80U, 0xdbffU, 0xdc00U, 0xdf80U, 0xdfffU})
        s.add(encode(point), false);
    s.group(21);
    for (std::uint32_t high : {0xd800U, 0xdb7fU, 0xdb80U, 0xdbffU})
        for (std::uint32_t low : {0xdc00U, 0xdfffU})
            s.add(encode(high) + encode(low), false);
    s.group(22);  // not characters, but code points
    for (std::uint32_t plane = 0; plane <= 0x10; ++plane)
        for (std::uint32_t last : {0xfffeU, 0xffffU})
            s.add(encode((plane << 16) | last), true);
    s.group(23);
    for (std::uint32_t point : {0xfff9U, 0xfffaU, 0xfffbU, 0xfffcU, 0xfffdU, 0xfffeU, 0xffffU})
        s.add(encode(point), true);
}

/// Whether some continuation of `tail`, the beginning of one code point, is allowed. Arithmetic, not a state machine.
bool can_become_a_point(std::string_view tail) {
    const auto lead = static_cast<unsigned char>(tail[0]);
    const std::size_t length = lead < 0x80   ? 1
                               : lead < 0xc0 ? 0
                               : lead < 0xe0 ? 2
                               : lead < 0xf0 ? 3
                               : lead < 0xf8 ? 4
                                             : 0;
    if (length == 0 || tail.size() > length) return false;
    std::uint32_t low = length == 1 ? lead : lead & (0x7fU >> length);
    for (const char c : tail.substr(1)) {
        if ((static_cast<unsigned char>(c) & 0xc0) != 0x80) return false;
        low = (low << 6) | (static_cast<unsigned char>(c) & 0x3f);
    }
    const auto missing = static_cast<unsigned>(6 * (length - tail.size()));
    low <<= missing;
    const std::uint32_t high = low | ((1U << missing) - 1);
    constexpr std::array<std::uint32_t, 5> kLeast{0, 0, 0x80, 0x800, 0x10000};
    const std::uint32_t least = std::max(low, kLeast[length]);
    const std::uint32_t most = std::min<std::uint32_t>(high, 0x10ffff);
    const bool only_surrogates = least >= 0xd800 && most <= 0xdfff;
    return least <= most && !only_surrogates;
}

std::size_t length_of_point(char lead) {
    const auto byte = static_cast<unsigned char>(lead);
    return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

}  // namespace

std::vector<Utf8Sample> utf8_samples() {
    Samples samples;
    add_borders(samples);
    add_broken(samples);
    add_forbidden(samples);
    return samples.list;
}

std::size_t first_impossible(std::string_view bytes) {
    std::size_t begin = 0;
    for (std::size_t end = 1; end <= bytes.size(); ++end) {
        const std::string_view point = bytes.substr(begin, end - begin);
        if (!can_become_a_point(point)) return end;
        if (point.size() == length_of_point(point[0])) begin = end;
    }
    return bytes.size() + 1;
}

}  // namespace sluice::conformance::ws
