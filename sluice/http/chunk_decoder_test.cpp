#include "sluice/http/chunk_decoder.hpp"

#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sluice/core/random.hpp"
#include "sluice/http/test_chunk_cases.hpp"

namespace sluice::http {
namespace {

struct Decoded {
    unsigned refused = 0;
    std::string body;
    std::size_t consumed = 0;
    bool done = false;
};

Decoded decode_in_pieces(std::string_view text, std::size_t piece, std::size_t limit = 1'000) {
    ChunkDecoder decoder(limit);
    Decoded decoded;
    while (decoded.consumed < text.size() && !decoder.done()) {
        const BodyProgress progress = decoder.feed(text.substr(decoded.consumed, piece), decoded.body);
        decoded.consumed += progress.consumed;
        decoded.refused = progress.refused;
        if (progress.refused != 0) break;
    }
    decoded.done = decoder.done();
    return decoded;
}

TEST(ChunkDecoder, follows_the_table_whole_byte_by_byte_and_with_a_request_behind) {
    for (const test_cases::ChunkCase& c : test_cases::kChunkCases) {
        const std::string pipelined = std::string(c.text) + "GET / HTTP/1.1\r\n";
        for (const std::size_t piece : {std::size_t{10'000}, std::size_t{1}, std::size_t{3}}) {
            const Decoded decoded = decode_in_pieces(pipelined, piece);
            EXPECT_EQ(decoded.refused, c.refused) << c.name << " in pieces of " << piece;
            if (c.refused != 0) continue;
            EXPECT_TRUE(decoded.done) << c.name;
            EXPECT_EQ(decoded.body, c.body) << c.name;
            EXPECT_EQ(decoded.consumed, c.text.size()) << c.name;
        }
    }
}

TEST(ChunkDecoder, a_body_that_stops_early_is_not_done) {
    const std::string_view text = "5;x=y\r\nhello\r\n0\r\n\r\n";
    for (std::size_t length = 0; length < text.size(); ++length) {
        const Decoded decoded = decode_in_pieces(text.substr(0, length), 1'000);
        EXPECT_EQ(decoded.refused, 0U) << length;
        EXPECT_FALSE(decoded.done) << length;
    }
}

TEST(ChunkDecoder, refuses_a_body_over_the_limit_before_it_arrives) {
    EXPECT_EQ(decode_in_pieces("5\r\nhello\r\n0\r\n\r\n", 100, 5).refused, 0U);
    EXPECT_EQ(decode_in_pieces("6\r\n", 100, 5).refused, 413U);
    EXPECT_EQ(decode_in_pieces("3\r\nabc\r\n3\r\n", 100, 5).refused, 413U);
}

TEST(ChunkDecoder, bounds_the_bytes_that_carry_nothing) {
    EXPECT_EQ(decode_in_pieces("1;" + std::string(64 * 1024, 'x') + "\r\na\r\n0\r\n\r\n", 100'000).refused, 400U);
    std::string padded;
    for (int i = 0; i < 1'000; ++i)
        padded += "1;" + std::string(200, 'x') + "\r\na\r\n";
    EXPECT_EQ(decode_in_pieces(padded, 100'000).refused, 400U);
    std::string small;
    for (int i = 0; i < 1'000; ++i)
        small += "1\r\na\r\n";
    EXPECT_EQ(decode_in_pieces(small + "0\r\n\r\n", 100'000).body.size(), 1'000U);
}

TEST(ChunkDecoder, random_cuts_decode_to_the_same_body) {
    constexpr std::uint64_t kSeed = 4'711;
    core::Random random(kSeed);
    for (int round = 0; round < 2'000; ++round) {
        std::string expected;
        std::string text;
        for (std::uint64_t n = random.below(6); n > 0; --n) {
            std::string data(1 + random.below(40), '\0');
            for (char& c : data)
                c = static_cast<char>(random());
            text += fmt::format("{:x}\r\n", data.size()) + data + "\r\n";
            expected += data;
        }
        text += "0\r\n\r\n";
        const Decoded decoded = decode_in_pieces(text, 1 + random.below(50));
        ASSERT_TRUE(decoded.done) << "seed " << kSeed << " round " << round;
        ASSERT_EQ(decoded.body, expected) << "seed " << kSeed << " round " << round;
    }
}

}  // namespace
}  // namespace sluice::http
