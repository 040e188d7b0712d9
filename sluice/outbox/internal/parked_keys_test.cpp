#include "sluice/outbox/internal/parked_keys.hpp"

#include <gtest/gtest.h>

namespace sluice::outbox {
namespace {

using namespace std::chrono_literals;

const core::SteadyTime kParkedStart{1h};

ParkedKey due_at(core::SteadyTime time) {
    return {{1, kParkedStart, time}, false};
}

TEST(ParkedKeys, gives_the_key_that_is_due_longest) {
    ParkedKeys keys;
    keys.put("1/a", due_at(kParkedStart + 2s));
    keys.put("1/b", due_at(kParkedStart + 1s));

    EXPECT_EQ(keys.due(kParkedStart), std::nullopt);
    EXPECT_EQ(keys.next_due(), kParkedStart + 1s);
    EXPECT_EQ(keys.due(kParkedStart + 3s), "1/b");
}

TEST(ParkedKeys, never_gives_one_that_is_held) {
    ParkedKeys keys;
    keys.put("1/a", {{16, kParkedStart, kParkedStart}, true});

    EXPECT_TRUE(keys.contains("1/a"));
    EXPECT_EQ(keys.due(kParkedStart + 1h), std::nullopt);
    EXPECT_EQ(keys.next_due(), std::nullopt);
}

TEST(ParkedKeys, forgets_the_turn_of_a_key_that_is_put_again_or_erased) {
    ParkedKeys keys;
    keys.put("1/a", due_at(kParkedStart + 1s));
    keys.put("1/a", due_at(kParkedStart + 5s));
    EXPECT_EQ(keys.size(), 1U);
    EXPECT_EQ(keys.next_due(), kParkedStart + 5s);

    keys.erase("1/a");

    EXPECT_EQ(keys.size(), 0U);
    EXPECT_EQ(keys.next_due(), std::nullopt);
}

TEST(ParkedKeys, group_messages_by_queue_and_key_and_leave_those_without_one_alone) {
    EXPECT_EQ(key_group(3, "a", 17), "3/a");
    EXPECT_NE(key_group(3, "a", 17), key_group(4, "a", 17));
    EXPECT_NE(key_group(3, "", 17), key_group(3, "", 18));
}

TEST(ParkedKeys, keep_what_was_told_of_a_key_while_a_run_was_under_way) {
    ParkedKeys keys;
    keys.put("1/a", due_at(kParkedStart));
    keys.begin("1/a");
    keys.tell("1/a", kParkedStart + 1s);

    keys.settle("1/a", std::nullopt);
    EXPECT_EQ(keys.due(kParkedStart + 1s), "1/a") << "a message was added behind the run's back";
    keys.settle("1/a", ParkedKey{{1, kParkedStart, kParkedStart}, true});
    EXPECT_EQ(keys.due(kParkedStart + 1s), "1/a") << "it is not held by what the run saw before";

    keys.begin("1/a");
    keys.settle("1/a", std::nullopt);
    EXPECT_FALSE(keys.contains("1/a"));
}

TEST(ParkedKeys, that_are_announced_are_not_tried_until_they_are_told_of) {
    ParkedKeys keys;
    keys.put("1/a", due_at(kParkedStart));
    keys.begin("1/a");
    keys.announce("1/a");
    keys.announce("1/b");

    EXPECT_EQ(keys.due(kParkedStart + 1h), std::nullopt);
    EXPECT_TRUE(keys.contains("1/b")) << "its later messages have to wait";
    keys.settle("1/a", std::nullopt);
    EXPECT_TRUE(keys.contains("1/a")) << "the run began before";
    keys.tell("1/b", kParkedStart + 1s);
    EXPECT_EQ(keys.due(kParkedStart + 1s), "1/b");
}

TEST(ParkedKeys, that_nobody_told_of_stand_as_the_run_found_them) {
    ParkedKeys keys;
    keys.settle("1/a", due_at(kParkedStart + 2s));
    EXPECT_EQ(keys.next_due(), kParkedStart + 2s);

    keys.settle("1/a", std::nullopt);

    EXPECT_EQ(keys.size(), 0U);
}

}  // namespace
}  // namespace sluice::outbox
