// Dead letters delivered again in their old place, on a real database: before what waits, and overtaken by nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sluice/outbox/internal/test_replay.hpp"
#include "sluice/runtime/scope.hpp"

namespace sluice::outbox {
namespace {

using ::testing::ElementsAre;

class ReplayInOrder : public ReplayOnDatabase {};

TEST_F(ReplayInOrder, comes_before_messages_of_its_key_that_still_wait) {
    bury("a", "1");
    audit.set_aside("2");
    bed.publish("orders", {{"a", "2"}, {"a", "3"}, {"b", "other"}});
    ASSERT_TRUE(bed.drained());
    ASSERT_EQ(bed.number("select count(*) from sluice_parked"), 2);
    audit.accept("1");
    audit.accept("2");

    replay(ReplayPlace::in_order);
    ASSERT_TRUE(nothing_apart());

    EXPECT_THAT(audit.payloads_of("a"), ElementsAre("1", "2", "3"));
    EXPECT_EQ(audit.done.at(1).sequence, core::Sequence(1)) << "at its own place";
}

TEST_F(ReplayInOrder, keeps_its_key_apart_until_it_is_done) {
    bury("a", "1");
    audit.set_aside("1");
    replay(ReplayPlace::in_order);
    ASSERT_TRUE(bed.until([&] { return audit.tried.size() == 2; }));

    bed.publish("orders", {{"a", "2"}, {"b", "other"}, {"a", "3"}});
    ASSERT_TRUE(bed.drained());

    EXPECT_THAT(audit.payloads(), ElementsAre("other"));
    audit.accept("1");
    bed.run(bed.letters().release("audit", "orders", "a"));
    ASSERT_TRUE(nothing_apart());
    EXPECT_THAT(audit.payloads_of("a"), ElementsAre("1", "2", "3"));
    EXPECT_EQ(bed.count(LetterState::resolved), 1U);
}

TEST_F(ReplayInOrder, of_several_letters_of_a_key_keeps_their_order) {
    for (const char* const payload : {"1", "2", "3"})
        bury("a", payload);
    bury("b", "4");
    for (const char* const payload : {"1", "2", "3", "4"})
        audit.accept(payload);

    EXPECT_THAT(replay(ReplayPlace::in_order).ids, ElementsAre(1, 2, 3, 4));
    ASSERT_TRUE(nothing_apart());

    EXPECT_THAT(audit.payloads_of("a"), ElementsAre("1", "2", "3"));
    EXPECT_THAT(audit.payloads_of("b"), ElementsAre("4"));
    EXPECT_THAT(mail.payloads(), ElementsAre("1", "2", "3", "4"));
}

TEST_F(ReplayInOrder, of_messages_without_a_key_takes_each_for_itself) {
    bury("", "1");
    bury("", "2");
    audit.accept("2");

    replay(ReplayPlace::in_order);
    ASSERT_TRUE(nothing_apart());

    EXPECT_THAT(audit.payloads(), ElementsAre("2"));
    EXPECT_EQ(bed.list().at(0).id, 1);
}

TEST_F(ReplayInOrder, that_is_rejected_again_lets_its_key_go_on) {
    bury("a", "1");
    audit.set_aside("2");
    bed.publish("orders", {{"a", "2"}, {"a", "3"}});
    ASSERT_TRUE(bed.drained());
    audit.accept("2");

    replay(ReplayPlace::in_order);
    ASSERT_TRUE(nothing_apart());

    EXPECT_THAT(audit.payloads(), ElementsAre("2", "3"));
    EXPECT_EQ(bed.list().at(0).message.attempts, 2);
    EXPECT_EQ(bed.number("select count(*) from sluice_dead_letter"), 1);
}

runtime::Task<void> replay_all(LettersBed& bed) {
    const DeadLetterFilter all;
    const LetterOptions options;
    co_await bed.letters().replay(all, options, ReplayPlace::in_order);
}

/// On SQLite the replay has the writer first, and both may commit in one group; on a server who publishes sees that it
/// has committed.
runtime::Task<void> publish_behind_replay(LettersBed& bed, std::string key) {
    if (bed.dialect() != db::Dialect::sqlite) {
        const std::string replayed =
            "select count(*) from sluice_dead_letter where state <> 'pending' and \"key\" = '" + key + "'";
        const bool seen = co_await LettersBed::wait_for_number(bed, replayed, 1);
        EXPECT_TRUE(seen) << "nothing was replayed";
    }
    const auto body = [&key](db::UnitOfWork& unit) { return Testbed::publish_in(unit, "orders", {{key, key + "-2"}}); };
    co_await bed.database->transaction({}, body);
}

runtime::Task<void> replay_then_publish(LettersBed& bed, std::string key) {
    runtime::TaskScope scope(bed.shard, bed.log());
    scope.spawn("replay", replay_all(bed));
    scope.spawn("publish", publish_behind_replay(bed, std::move(key)));
    co_await scope.join();
}

TEST_F(ReplayInOrder, is_not_overtaken_by_a_message_that_commits_right_after_it) {
    constexpr int kRounds = 100;
    for (int round = 0; round < kRounds; ++round) {
        const std::string key = "k" + std::to_string(round);
        bury(key, key + "-1");
        audit.accept(key + "-1");

        bed.run(replay_then_publish(bed, key));

        ASSERT_TRUE(bed.until([&] { return audit.payloads_of(key).size() == 2; })) << key;
        ASSERT_THAT(audit.payloads_of(key), ElementsAre(key + "-1", key + "-2"));
    }
}

TEST_F(ReplayInOrder, buried_by_hand_makes_its_letter_pending_and_no_second_one) {
    bury("a", "1");
    audit.set_aside("1");
    replay(ReplayPlace::in_order);
    ASSERT_TRUE(bed.until([&] { return audit.tried.size() == 2; }));
    ASSERT_TRUE(bed.becomes("select attempts from sluice_parked", 1));

    EXPECT_EQ(bed.run(bed.letters().release("audit", "orders", "a", Release::bury, "bob")), 1U);
    ASSERT_TRUE(nothing_apart());

    EXPECT_EQ(bed.number("select count(*) from sluice_dead_letter"), 1);
    EXPECT_EQ(bed.list().at(0).message.attempts, 2);
    EXPECT_THAT(history(1), ElementsAre("replayed/ann/before its key", "buried/bob/later"));
}

}  // namespace
}  // namespace sluice::outbox
