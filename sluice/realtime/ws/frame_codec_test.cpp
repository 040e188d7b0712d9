#include "sluice/realtime/ws/frame_codec.hpp"

#include <random>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sluice/realtime/ws/message_reader.hpp"
#include "sluice/testing/ws_client.hpp"

namespace sluice::realtime::ws {
namespace {

using testing::masked_frame;

/// What a reader told, as text.
struct Transcript final : MessageHandler {
    Proceed on_message(bool text, std::string_view payload) override {
        lines.push_back((text ? "text " : "binary ") + std::string(payload));
        return Proceed::yes;
    }
    Proceed on_ping(std::string_view payload) override {
        lines.push_back("ping " + std::string(payload));
        return Proceed::yes;
    }
    Proceed on_pong() override {
        lines.push_back("pong");
        return Proceed::yes;
    }
    void on_close(std::uint16_t code, std::string_view reason) override {
        lines.push_back("close " + std::to_string(code) + " " + std::string(reason));
        over = true;
    }
    void on_failure(CloseCode code, std::string_view reason) override {
        lines.push_back("failed " + std::to_string(static_cast<int>(code)) + " " + std::string(reason));
        over = true;
    }
    std::vector<std::string> lines;
    bool over = false;
};

std::vector<std::string> read_in_pieces(std::string bytes, std::size_t piece, FrameLimits limits = {1 << 20, 256}) {
    Transcript transcript;
    MessageReader reader(limits);
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        const std::size_t count = std::min(piece, bytes.size() - at);
        const auto part = std::as_writable_bytes(std::span(bytes).subspan(at, count));
        reader.feed(part, transcript);
        if (transcript.over) break;
    }
    return transcript.lines;
}

std::vector<std::string> read_whole(const std::string& bytes, FrameLimits limits = {1 << 20, 256}) {
    return read_in_pieces(bytes, bytes.size(), limits);
}

using Lines = std::vector<std::string>;

TEST(FrameCodecTest, a_message_is_read_whatever_pieces_it_comes_in) {
    const std::string bytes = masked_frame(1, "hello") + masked_frame(2, std::string(300, 'b')) + masked_frame(9, "p") +
                              masked_frame(1, std::string(70'000, 't')) +
                              masked_frame(8, std::string("\x03\xe8") + "bye");
    const Lines expected{"text hello", "binary " + std::string(300, 'b'), "ping p", "text " + std::string(70'000, 't'),
                         "close 1000 bye"};
    for (const std::size_t piece : {std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{4096}, bytes.size()})
        EXPECT_EQ(read_in_pieces(bytes, piece), expected) << piece;
}

TEST(FrameCodecTest, a_header_that_breaks_a_rule_fails_at_its_first_bad_byte) {
    const auto failed = [](std::string_view code) {
        return ::testing::ElementsAre(::testing::StartsWith("failed " + std::string(code)));
    };
    for (const std::string& bytes :
         {std::string("\xc1"), std::string("\x83"), std::string("\x09"), std::string("\x80"), std::string("\x81\x05"),
          std::string("\x89\xfe"), std::string("\x81\xfe\x00\x7d", 4), std::string("\x81\xff\0\0\0\0\0\0\xff\xff", 10),
          std::string("\x81\xff\x80\0\0\0\0\0\0\0", 10)}) {
        EXPECT_THAT(read_whole(bytes), failed("1002")) << ::testing::PrintToString(bytes);
        EXPECT_THAT(read_in_pieces(bytes, 1), failed("1002")) << ::testing::PrintToString(bytes);
        EXPECT_TRUE(read_whole(bytes.substr(0, bytes.size() - 1)).empty()) << ::testing::PrintToString(bytes);
    }
    EXPECT_THAT(read_whole(std::string("\x82\xfe\x01\x01", 4), {256, 8}), failed("1009"));
    EXPECT_THAT(read_whole(masked_frame(1, "a", false) + std::string("\x80\x80", 2), {256, 1}), failed("1009"));
}

TEST(FrameCodecTest, control_frames_between_fragments_are_told_first) {
    EXPECT_EQ(read_whole(masked_frame(1, "a", false) + masked_frame(9, "p") + masked_frame(0, "b", false) +
                         masked_frame(10, "") + masked_frame(0, "c")),
              (Lines{"ping p", "pong", "text abc"}));
}

TEST(FrameCodecTest, an_unmasked_frame_is_refused_at_its_second_byte) {
    EXPECT_EQ(read_whole(std::string("\x81\x05", 2)), (Lines{"failed 1002 client frames have to be masked"}));
}

TEST(FrameCodecTest, a_mask_key_of_zero_is_a_mask) {
    EXPECT_EQ(read_whole(masked_frame(1, "x", true, 0)), (Lines{"text x"}));
}

TEST(FrameCodecTest, lengths_have_to_be_in_their_shortest_form) {
    const std::string sixteen("\x82\xfe\x00\x7d\0\0\0\0", 8);
    const std::string sixty_four("\x82\xff\0\0\0\0\0\0\xff\xff\0\0\0\0", 14);
    const std::string top_bit("\x82\xff\x80\0\0\0\0\0\0\0\0\0\0\0", 14);
    EXPECT_EQ(read_whole(sixteen), (Lines{"failed 1002 length not in its shortest form"}));
    EXPECT_EQ(read_whole(sixty_four), (Lines{"failed 1002 length not in its shortest form"}));
    EXPECT_EQ(read_whole(top_bit), (Lines{"failed 1002 length of 2^63 or more"}));
}

TEST(FrameCodecTest, a_message_over_the_limit_is_refused_by_its_header) {
    const FrameLimits limits{100, 256};
    EXPECT_EQ(read_whole(masked_frame(2, std::string(100, 'x')), limits).front().substr(0, 6), "binary");
    EXPECT_EQ(read_whole(masked_frame(2, std::string(101, 'x')).substr(0, 6), limits),
              (Lines{"failed 1009 message too large"}));
    EXPECT_EQ(
        read_whole(masked_frame(2, std::string(60, 'x'), false) + masked_frame(0, std::string(41, 'x')).substr(0, 6),
                   limits),
        (Lines{"failed 1009 message too large"}));
    const std::string largest("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 14);
    EXPECT_EQ(read_whole(masked_frame(2, "x", false) + std::string("\x80") + largest.substr(1), limits),
              (Lines{"failed 1009 message too large"}));
}

TEST(FrameCodecTest, a_message_in_too_many_fragments_is_refused) {
    std::string bytes = masked_frame(1, "", false);
    for (int i = 1; i < 4; ++i)
        bytes += masked_frame(0, "", false);
    EXPECT_TRUE(read_whole(bytes, {100, 4}).empty());
    EXPECT_EQ(read_whole(bytes + masked_frame(0, ""), {100, 4}), (Lines{"failed 1009 message in too many fragments"}));
}

TEST(FrameCodecTest, text_fails_at_the_first_impossible_byte_even_inside_a_frame) {
    const std::string bytes = masked_frame(1, "ok \xf4\x90 and more that never matters");
    Transcript transcript;
    MessageReader reader(FrameLimits{1 << 20, 256});
    std::string until_bad = bytes.substr(0, 6 + 5);
    reader.feed(std::as_writable_bytes(std::span(until_bad)), transcript);
    EXPECT_EQ(transcript.lines, (Lines{"failed 1007 text that is not UTF-8"}));
}

TEST(FrameCodecTest, nothing_is_read_behind_a_failure_or_a_close) {
    EXPECT_EQ(read_whole(masked_frame(8, "") + masked_frame(1, "late")), (Lines{"close 0 "}));
    EXPECT_EQ(read_whole(std::string("\x83\x80\0\0\0\0", 6) + masked_frame(1, "late")),
              (Lines{"failed 1002 reserved opcode"}));
}

TEST(FrameCodecTest, the_serializer_uses_the_shortest_length) {
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{125}, std::size_t{126}, std::size_t{65'535}, std::size_t{65'536}}) {
        std::string frame;
        append_frame(frame, Opcode::binary, std::string(size, 'x'));
        EXPECT_EQ(frame.size(), size + header_size(size));
        EXPECT_EQ(static_cast<unsigned char>(frame[0]), 0x82);
        EXPECT_EQ(header_size(size), size < 126 ? 2u : size < 65'536 ? 4u : 10u);
    }
}

TEST(FrameCodecTest, a_close_reason_is_cut_between_characters) {
    std::string frame;
    std::string reason(122, 'r');
    append_close(frame, CloseCode::slow, reason + "é!");
    EXPECT_EQ(frame.substr(4), reason);
    EXPECT_EQ(static_cast<unsigned char>(frame[1]), 124);
}

TEST(FrameCodecTest, random_messages_survive_random_fragments_and_pieces) {
    const std::uint32_t seed = std::random_device{}();
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    for (int round = 0; round < 2'000; ++round) {
        std::string bytes;
        Lines expected;
        for (std::size_t messages = random() % 5; messages > 0; --messages) {
            std::string payload(random() % 400, static_cast<char>('a' + random() % 26));
            expected.push_back("text " + payload);
            const std::size_t fragments = 1 + random() % 4;
            for (std::size_t i = 0; i < fragments; ++i) {
                const std::size_t count = i + 1 == fragments ? payload.size() : random() % (payload.size() + 1);
                bytes += masked_frame(i == 0 ? 1 : 0, payload.substr(0, count), i + 1 == fragments,
                                      static_cast<std::uint32_t>(random()));
                payload.erase(0, count);
            }
        }
        if (bytes.empty()) continue;
        ASSERT_EQ(read_in_pieces(bytes, 1 + random() % 600), expected);
    }
}

TEST(FrameCodecTest, random_bytes_never_break_the_parser) {
    const std::uint32_t seed = std::random_device{}();
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    for (int round = 0; round < 20'000; ++round) {
        std::string bytes(1 + random() % 64, '\0');
        for (char& c : bytes)
            c = static_cast<char>(random());
        bytes[0] = static_cast<char>((bytes[0] & 0x8f));
        if (bytes.size() > 1) bytes[1] = static_cast<char>(bytes[1] | 0x80);
        const Lines whole = read_whole(bytes, {200, 8});
        ASSERT_EQ(read_in_pieces(bytes, 1, {200, 8}), whole);
    }
}

}  // namespace
}  // namespace sluice::realtime::ws
