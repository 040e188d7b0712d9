#include "sluice/realtime/internal/outbound_queue.hpp"

#include <array>
#include <deque>
#include <random>

#include <gtest/gtest.h>

namespace sluice::realtime {
namespace {

struct OutboundQueueTest : ::testing::Test {
    /// A batch of text frames.
    BatchRef batch(const std::vector<std::string>& payloads) {
        BatchRef made = Batch::make(pinned);
        for (const std::string& payload : payloads)
            made->append_frame(ws::Opcode::text, payload);
        return made;
    }
    Slice all(const BatchRef& from) { return {from, 0, from->size()}; }
    Slice control(std::string_view payload, ws::Opcode opcode = ws::Opcode::ping) {
        BatchRef made = Batch::make(pinned);
        made->append_frame(opcode, payload);
        return all(made);
    }
    /// Sends up to `bytes` as the writer does.
    Sent send(std::size_t bytes) {
        std::array<iovec, 8> slices;
        std::size_t have = 0;
        const std::size_t count = queue.gather(slices, have);
        std::string gathered;
        for (std::size_t i = 0; i < count; ++i)
            gathered.append(static_cast<const char*>(slices[i].iov_base), slices[i].iov_len);
        EXPECT_EQ(gathered.size(), have);
        const std::size_t moved = std::min(bytes, have);
        sent += gathered.substr(0, moved);
        return queue.consume(moved);
    }

    std::size_t pinned = 0;
    OutboundQueue queue;
    std::string sent;
};

TEST_F(OutboundQueueTest, a_frame_counts_as_sent_when_its_last_byte_is) {
    queue.push(all(batch({"abc", "def"})), SliceKind::data);
    EXPECT_EQ(send(4).frames, 0u);
    EXPECT_EQ(send(1).frames, 1u);
    EXPECT_EQ(queue.unsent_frames(), 1u);
    EXPECT_EQ(send(100).frames, 1u);
    EXPECT_TRUE(queue.empty());
    EXPECT_EQ(sent,
              "\x81\x03"
              "abc\x81\x03"
              "def");
}

TEST_F(OutboundQueueTest, a_control_frame_waits_for_the_frame_that_has_begun_and_for_nothing_else) {
    queue.push(all(batch({"abc", "def"})), SliceKind::data);
    send(3);
    EXPECT_TRUE(queue.push_control(control("1"), 16));
    EXPECT_TRUE(queue.push_control(control("2"), 16));
    send(100);
    EXPECT_EQ(sent,
              "\x81\x03"
              "abc\x89\x01"
              "1\x89\x01"
              "2\x81\x03"
              "def");
}

TEST_F(OutboundQueueTest, control_frames_have_a_bound_of_their_own) {
    for (int i = 0; i < 16; ++i)
        EXPECT_TRUE(queue.push_control(control("p"), 16));
    EXPECT_FALSE(queue.push_control(control("p"), 16));
    send(3);
    EXPECT_TRUE(queue.push_control(control("p"), 16));
    EXPECT_EQ(queue.unsent_frames(), 0u);
}

TEST_F(OutboundQueueTest, beyond_the_bound_the_newest_pong_takes_the_place_of_the_one_before) {
    queue.push(all(batch({"abc"})), SliceKind::data);
    send(1);
    EXPECT_TRUE(queue.push_control(control("1", ws::Opcode::pong), 3));
    EXPECT_TRUE(queue.push_control(control("2", ws::Opcode::pong), 3));
    EXPECT_TRUE(queue.push_control(control("our own"), 3));
    EXPECT_TRUE(queue.push_control(control("long3", ws::Opcode::pong), 3));
    EXPECT_TRUE(queue.push_control(control("4", ws::Opcode::pong), 3));
    EXPECT_FALSE(queue.push_control(control("another"), 3));
    const std::size_t left = queue.bytes();
    EXPECT_EQ(left, 4U + 3 + 3 + 9);
    send(100);
    EXPECT_EQ(sent,
              "\x81\x03"
              "abc\x8a\x01"
              "1\x8a\x01"
              "4\x89\x07our own");
    EXPECT_EQ(queue.bytes(), 0U);
}

TEST_F(OutboundQueueTest, a_pong_finds_no_place_among_other_control_frames_at_the_bound) {
    EXPECT_TRUE(queue.push_control(control("1"), 1));
    EXPECT_FALSE(queue.push_control(control("2", ws::Opcode::pong), 1));
    send(100);
    EXPECT_EQ(sent,
              "\x89\x01"
              "1");
}

TEST_F(OutboundQueueTest, a_frame_in_three_slices_is_one_frame) {
    BatchRef envelope = Batch::make(pinned);
    envelope->append_part(std::string("\x81\x06{", 3), false);
    const BatchRef state = Batch::of_shared(pinned, std::make_shared<const std::string>("abcd"));
    queue.push(all(envelope), SliceKind::reply);
    queue.push(all(state), SliceKind::reply);
    const std::uint32_t tail = envelope->size();
    envelope->append_part("}", true);
    queue.push({envelope, tail, envelope->size()}, SliceKind::reply);
    EXPECT_EQ(queue.unsent_frames(), 1u);
    EXPECT_EQ(send(5).replies, 0u);
    queue.push_control(control("p"), 16);
    EXPECT_EQ(send(100).replies, 1u);
    EXPECT_EQ(sent, "\x81\x06{abcd}\x89\x01p");
}

TEST_F(OutboundQueueTest, dropping_keeps_the_frame_that_has_begun) {
    queue.push(all(batch({"abc", "def"})), SliceKind::data);
    queue.push(all(batch({"ghi"})), SliceKind::data);
    send(2);
    EXPECT_EQ(queue.drop_unbegun(), 2u);
    EXPECT_EQ(queue.unsent_frames(), 1u);
    send(100);
    EXPECT_EQ(sent,
              "\x81\x03"
              "abc");
    EXPECT_TRUE(queue.empty());
}

TEST_F(OutboundQueueTest, dropping_what_has_not_begun_at_all_empties_it) {
    queue.push(all(batch({"abc", "def"})), SliceKind::data);
    EXPECT_EQ(queue.drop_unbegun(), 2u);
    EXPECT_TRUE(queue.empty());
    EXPECT_EQ(queue.bytes(), 0u);
}

TEST_F(OutboundQueueTest, one_frame_is_always_admitted_and_does_not_count_for_those_behind) {
    queue.push(all(batch({std::string(1000, 'x')})), SliceKind::data);
    EXPECT_FALSE(queue.exceeds(4, 100));
    queue.push(all(batch({std::string(90, 'y')})), SliceKind::data);
    EXPECT_FALSE(queue.exceeds(4, 100));
    send(500);
    EXPECT_FALSE(queue.exceeds(4, 100));
    queue.push(all(batch({std::string(20, 'z')})), SliceKind::data);
    EXPECT_TRUE(queue.exceeds(4, 100));
}

TEST_F(OutboundQueueTest, frames_are_limited_by_number_too_and_replies_are_not) {
    for (int i = 0; i < 4; ++i)
        queue.push(all(batch({"x"})), SliceKind::data);
    queue.push(all(batch({std::string(1000, 'r')})), SliceKind::reply);
    EXPECT_FALSE(queue.exceeds(4, 100));
    queue.push(all(batch({"x"})), SliceKind::data);
    EXPECT_TRUE(queue.exceeds(4, 100));
}

TEST_F(OutboundQueueTest, a_small_rest_lets_go_of_its_large_batch) {
    std::vector<std::string> many(100, std::string(100, 'm'));
    {
        const BatchRef large = batch(many);
        queue.push(all(large), SliceKind::data);
    }
    const std::size_t before = pinned;
    const std::size_t total = queue.bytes();
    send(total - 150);
    queue.unpin(4096, pinned);
    EXPECT_LT(pinned, before / 10);
    const std::uint32_t left = queue.unsent_frames();
    EXPECT_EQ(send(1000).frames, left);
    EXPECT_EQ(pinned, 0u);
    EXPECT_EQ(sent.size(), total);
}

TEST_F(OutboundQueueTest, random_use_keeps_every_byte_every_frame_and_the_books) {
    const std::uint32_t seed = std::random_device{}();
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    for (int round = 0; round < 300; ++round) {
        queue = {};
        sent.clear();
        std::uint32_t offered = 0;
        std::uint32_t delivered = 0;
        std::uint32_t dropped = 0;
        for (int step = 0; step < 200; ++step) {
            switch (random() % 8) {
                case 0:
                    queue.push_control(control("c"), 16);
                    break;
                case 1:
                    if (random() % 8 == 0) dropped += queue.drop_unbegun();
                    break;
                case 2:
                    queue.unpin(64, pinned);
                    break;
                case 3:
                case 4: {
                    std::vector<std::string> payloads(1 + random() % 3, std::string(random() % 30, 'd'));
                    offered += static_cast<std::uint32_t>(payloads.size());
                    queue.push(all(batch(payloads)), random() % 3 == 0 ? SliceKind::reply : SliceKind::data);
                    break;
                }
                default:
                    delivered += send(random() % 60).frames;
                    break;
            }
            ASSERT_EQ(offered, delivered + dropped + queue.unsent_frames());
        }
        while (!queue.empty())
            delivered += send(1000).frames;
        ASSERT_EQ(offered, delivered + dropped);
        // What left is a sequence of whole frames.
        std::string_view rest = sent;
        while (!rest.empty()) {
            ASSERT_TRUE(rest[0] == '\x81' || rest[0] == '\x89');
            ASSERT_GE(rest.size(), 2u + static_cast<unsigned char>(rest[1]));
            rest.remove_prefix(2u + static_cast<unsigned char>(rest[1]));
        }
    }
    queue = {};
    EXPECT_EQ(pinned, 0u);
}

}  // namespace
}  // namespace sluice::realtime
