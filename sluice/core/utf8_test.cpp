#include "sluice/core/utf8.hpp"

#include <optional>
#include <random>
#include <string>

#include <gtest/gtest.h>

namespace sluice::core {
namespace {

/// Decodes one code point the long way, as RFC 3629's table of ranges says; nothing if the text does not start with
/// one.
std::optional<std::size_t> length_of_first(std::string_view text) {
    const auto byte = [&](std::size_t i) -> unsigned {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
    };
    if (byte(0) < 0x80) return 1;
    for (std::size_t length = 2; length <= 4; ++length) {
        const unsigned lead = length == 2 ? 0xc0 : length == 3 ? 0xe0 : 0xf0;
        const unsigned mask = length == 2 ? 0xe0 : length == 3 ? 0xf0 : 0xf8;
        if ((byte(0) & mask) != lead) continue;
        unsigned point = byte(0) & ~mask & 0xff;
        for (std::size_t i = 1; i < length; ++i) {
            if ((byte(i) & 0xc0) != 0x80) return std::nullopt;
            point = (point << 6) | (byte(i) & 0x3f);
        }
        const unsigned least = length == 2 ? 0x80 : length == 3 ? 0x800 : 0x10000;
        if (point < least || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return std::nullopt;
        return length;
    }
    return std::nullopt;
}

bool is_utf8_the_long_way(std::string_view text) {
    while (!text.empty()) {
        const auto length = length_of_first(text);
        if (!length) return false;
        text.remove_prefix(*length);
    }
    return true;
}

TEST(Utf8Test, agrees_with_a_decoder_on_every_text_of_two_bytes_and_every_lead_of_four) {
    for (unsigned first = 0; first < 256; ++first) {
        for (unsigned second = 0; second < 256; ++second) {
            for (const char* tail : {"", "\x80", "\xbf\xbf", "\x80\x80", "a"}) {
                const std::string text = std::string{static_cast<char>(first), static_cast<char>(second)} + tail;
                ASSERT_EQ(is_utf8(text), is_utf8_the_long_way(text)) << first << " " << second << " " << tail;
            }
        }
    }
}

TEST(Utf8Test, agrees_with_a_decoder_on_random_texts_in_random_pieces) {
    const std::uint32_t seed = std::random_device{}();
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    const std::string pieces[] = {"a",
                                  "0123456789abcdef",
                                  "é",
                                  "€",
                                  "😀",
                                  "\xed\x9f\xbf",
                                  "\xed\xa0\x80",
                                  "\xf4\x8f\xbf\xbf",
                                  "\xf4\x90\x80\x80",
                                  "\xc0\x80",
                                  "\xff",
                                  "\x80"};
    for (int round = 0; round < 50'000; ++round) {
        std::string text;
        for (std::size_t n = random() % 8; n > 0; --n)
            text += pieces[random() % (random() % 4 == 0 ? 12 : 6)];
        Utf8Checker checker;
        bool fed = true;
        for (std::size_t at = 0; at < text.size();) {
            const std::size_t count = std::min<std::size_t>(1 + random() % 20, text.size() - at);
            fed = checker.feed(std::string_view(text).substr(at, count)) && fed;
            at += count;
        }
        ASSERT_EQ(fed && checker.complete(), is_utf8_the_long_way(text)) << ::testing::PrintToString(text);
    }
}

TEST(Utf8Test, fails_at_the_first_byte_that_cannot_be_completed) {
    for (const std::string_view bad :
         {"\xf4\x90", "\xed\xa0", "\xe0\x80", "\xf0\x80", "\xc0", "\xc1", "\xf5", "\x80"}) {
        Utf8Checker checker;
        ASSERT_TRUE(checker.feed(bad.substr(0, bad.size() - 1)));
        EXPECT_FALSE(checker.feed(bad.substr(bad.size() - 1))) << ::testing::PrintToString(bad);
        EXPECT_FALSE(checker.feed("a"));
    }
}

TEST(Utf8Test, a_text_may_not_end_inside_a_code_point) {
    Utf8Checker checker;
    EXPECT_TRUE(checker.complete());
    EXPECT_TRUE(checker.feed("\xe2\x82"));
    EXPECT_FALSE(checker.complete());
    EXPECT_TRUE(checker.feed("\xac"));
    EXPECT_TRUE(checker.complete());
}

}  // namespace
}  // namespace sluice::core
