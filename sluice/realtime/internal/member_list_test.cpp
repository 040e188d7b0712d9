#include "sluice/realtime/internal/member_list.hpp"

#include <algorithm>
#include <map>
#include <random>

#include <gtest/gtest.h>

namespace sluice::realtime {
namespace {

struct Somebody {
    std::uint32_t index = 0;
    bool present = false;
};

void follow(MemberList<Somebody>& list) {
    list.compact([](MemberList<Somebody>::Member& member, std::uint32_t index) { member.who->index = index; });
}

TEST(MemberListTest, compaction_closes_holes_and_keeps_the_order_of_joining) {
    MemberList<Somebody> list;
    std::vector<Somebody> people(100);
    for (Somebody& one : people)
        one.index = list.add(one, 0, 0);
    for (std::size_t i = 0; i < people.size(); ++i)
        if (i % 4 != 3) list.remove(people[i].index);
    follow(list);
    EXPECT_EQ(list.end_index(), 25u);
    for (std::uint32_t i = 0; i < 25; ++i) {
        EXPECT_EQ(list.at(i).who, &people[i * 4 + 3]);
        EXPECT_EQ(people[i * 4 + 3].index, i);
    }
}

TEST(MemberListTest, nothing_moves_during_a_walk) {
    MemberList<Somebody> list;
    std::vector<Somebody> people(100);
    for (Somebody& one : people)
        one.index = list.add(one, 0, 0);
    list.begin_walk();
    for (std::size_t i = 1; i < people.size(); ++i)
        list.remove(people[i].index);
    follow(list);
    EXPECT_EQ(list.end_index(), 100u);
    EXPECT_EQ(list.size(), 1u);
    list.end_walk();
    follow(list);
    EXPECT_EQ(list.end_index(), 1u);
}

TEST(MemberListTest, random_joins_and_leaves_agree_with_a_plain_list) {
    const std::uint32_t seed = std::random_device{}();
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    MemberList<Somebody> list;
    std::vector<Somebody> people(200);
    std::vector<Somebody*> expected;
    for (int step = 0; step < 50'000; ++step) {
        Somebody& one = people[random() % people.size()];
        if (one.present) {
            list.remove(one.index);
            std::erase(expected, &one);
        } else {
            one.index = list.add(one, 0, 0);
            expected.push_back(&one);
        }
        one.present = !one.present;
        if (random() % 50 == 0) list.walking() ? list.end_walk() : list.begin_walk();
        follow(list);
        ASSERT_EQ(list.size(), expected.size());
        if (step % 100 != 0) continue;
        std::vector<Somebody*> walked;
        for (std::uint32_t i = 0; i < list.end_index(); ++i)
            if (list.at(i).who != nullptr) walked.push_back(list.at(i).who);
        ASSERT_EQ(walked, expected);
        for (const Somebody* who : expected)
            ASSERT_EQ(list.at(who->index).who, who);
    }
}

}  // namespace
}  // namespace sluice::realtime
