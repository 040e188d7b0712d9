// What becomes of messages that keep failing, on a real database: tries, policies, limits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sluice/outbox/internal/test_parked.hpp"

namespace sluice::outbox {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class PoisonOnDatabase : public ParkedOnDatabase {};

TEST_F(PoisonOnDatabase, dead_letter_policy_buries_a_message_that_failed_apart_and_its_key_goes_on) {
    start(hasty(2));
    audit.set_aside("1");
    bed.publish("orders", {{"a", "1"}, {"a", "2"}});
    ASSERT_TRUE(bed.drained());

    audit.retry("1");
    release("a");  // counts its tries anew
    ASSERT_TRUE(nothing_apart());

    EXPECT_THAT(audit.payloads(), ElementsAre("2"));
    EXPECT_EQ(bed.list().at(0).message.attempts, 2);
}

TEST_F(PoisonOnDatabase, a_message_rejected_apart_becomes_a_letter_and_its_key_goes_on) {
    start();
    audit.set_aside("1");
    bed.publish("orders", {{"a", "1"}, {"a", "2"}});
    ASSERT_TRUE(bed.drained());

    audit.reject("1", "never");
    release("a");
    ASSERT_TRUE(nothing_apart());

    EXPECT_EQ(bed.list().at(0).reason, "never");
    EXPECT_EQ(bed.list().at(0).message.sequence, core::Sequence(1));
    EXPECT_THAT(audit.payloads(), ElementsAre("2"));
}

TEST_F(PoisonOnDatabase, park_key_policy_holds_the_key_until_a_person_releases_it) {
    start(hasty(2, PoisonPolicy::park_key));
    audit.retry("1");
    bed.publish("orders", {{"a", "1"}, {"a", "2"}, {"b", "3"}});
    ASSERT_TRUE(bed.becomes("select count(*) from sluice_parked where held = 1", 1));
    ASSERT_TRUE(bed.drained());
    const std::size_t tried = audit.tried.size();

    bed.publish("orders", {{"a", "4"}, {"b", "5"}});
    ASSERT_TRUE(bed.drained());

    EXPECT_THAT(audit.payloads(), ElementsAre("3", "5"));
    EXPECT_EQ(audit.tried.size(), tried + 1) << "the held key is not tried";
    EXPECT_EQ(bed.count(), 0U);
    audit.accept("1");
    EXPECT_EQ(release("a"), 1U);
    ASSERT_TRUE(nothing_apart());
    EXPECT_THAT(audit.payloads_of("a"), ElementsAre("1", "2", "4"));
}

TEST_F(PoisonOnDatabase, a_held_key_stays_held_over_a_restart) {
    const SubscriptionSettings settings = hasty(1, PoisonPolicy::park_key);
    start(settings);
    audit.retry("1");
    bed.publish("orders", {{"a", "1"}, {"a", "2"}});
    ASSERT_TRUE(bed.drained());
    audit.accept("1");

    restart(settings);
    bed.publish("orders", {{"a", "3"}, {"b", "4"}});
    ASSERT_TRUE(bed.drained());

    EXPECT_THAT(audit.payloads(), ElementsAre("4"));
    EXPECT_TRUE(parked().at(0).held);
    release("a");
    ASSERT_TRUE(nothing_apart());
    EXPECT_THAT(audit.payloads_of("a"), ElementsAre("1", "2", "3"));
}

TEST_F(PoisonOnDatabase, release_that_buries_makes_the_first_message_a_letter_and_the_others_go_on) {
    start(hasty(1, PoisonPolicy::park_key));
    audit.retry("1");
    bed.publish("orders", {{"a", "1"}, {"a", "2"}});
    ASSERT_TRUE(bed.drained());

    EXPECT_EQ(release("a", Release::bury), 1U);
    ASSERT_TRUE(nothing_apart());

    EXPECT_THAT(audit.payloads(), ElementsAre("2"));
    const DeadLetter letter = bed.list().at(0);
    EXPECT_EQ(letter.message.payload, "1");
    EXPECT_EQ(letter.message.attempts, 1);
    EXPECT_EQ(letter.reason, "later");
    const std::vector<LetterAudit> history = bed.run(bed.letters().audit(letter.id));
    ASSERT_EQ(history.size(), 1U);
    EXPECT_EQ(history[0].action, "buried");
    EXPECT_EQ(history[0].actor, "ann");
}

TEST_F(PoisonOnDatabase, block_policy_keeps_the_lane_waiting_until_the_message_succeeds) {
    const SubscriptionSettings settings = hasty(2, PoisonPolicy::block);
    start(settings);
    audit.retry("1");
    bed.publish("orders", {{"a", "1"}, {"b", "2"}});
    ASSERT_TRUE(bed.until([&] { return audit.tried.size() > 6; }));

    EXPECT_THAT(audit.payloads(), IsEmpty());
    EXPECT_EQ(bed.number("select count(*) from sluice_parked"), 0);
    EXPECT_EQ(bed.count(), 0U);
    EXPECT_EQ(bed.number("select seq from sluice_cursor"), 0);
    restart(settings);
    ASSERT_TRUE(bed.becomes("select attempts > 7 from sluice_attempt", 1)) << "tries go on being counted";
    audit.accept("1");
    ASSERT_TRUE(bed.drained());
    EXPECT_THAT(audit.payloads(), ElementsAre("1", "2"));
    EXPECT_EQ(bed.number("select count(*) from sluice_attempt"), 0);
}

TEST_F(PoisonOnDatabase, no_more_keys_are_set_aside_than_allowed_then_the_lane_waits) {
    SubscriptionSettings settings = hasty(std::nullopt);
    settings.parked_keys = 2;
    start(settings);
    for (const char* const payload : {"1", "2", "3"})
        audit.retry(payload, milliseconds(1'001));  // longer than a lane waits for one message
    bed.publish("orders", {{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}});
    ASSERT_TRUE(bed.becomes("select count(*) from sluice_attempt", 1));

    EXPECT_EQ(bed.number("select count(*) from sluice_parked"), 2);
    EXPECT_THAT(audit.payloads(), IsEmpty()) << "the fourth waits behind the third";
    for (const char* const payload : {"1", "2", "3"})
        audit.accept(payload);
    ASSERT_TRUE(bed.drained());
    ASSERT_TRUE(nothing_apart());
    EXPECT_THAT(audit.payloads_of("d"), ElementsAre("4"));
    EXPECT_EQ(audit.done.size(), 4U);
}

TEST_F(PoisonOnDatabase, tries_before_a_restart_are_counted_after_it) {
    const SubscriptionSettings settings = hasty(3);
    start(settings);
    audit.set_aside("1");
    bed.publish("orders", {{"a", "1"}});
    ASSERT_TRUE(bed.drained());
    ASSERT_EQ(bed.number("select attempts from sluice_parked"), 1);

    restart(settings);
    ASSERT_TRUE(bed.becomes("select attempts from sluice_parked", 2));
    restart(settings);
    ASSERT_TRUE(nothing_apart());

    EXPECT_EQ(audit.tried.size(), 3U);
    EXPECT_EQ(bed.list().at(0).message.attempts, 3);
}

TEST_F(PoisonOnDatabase, a_message_is_set_aside_once_its_lane_has_waited_for_it_long_enough) {
    SubscriptionSettings settings = hasty(std::nullopt);
    settings.set_aside_after = milliseconds(20);
    start(settings);
    audit.retry("1");
    bed.publish("orders", {{"a", "1"}, {"b", "2"}});

    ASSERT_TRUE(bed.drained());

    EXPECT_THAT(audit.payloads(), ElementsAre("2"));
    EXPECT_GE(audit.tried.size(), 3U) << "it was tried in its lane before";
    EXPECT_EQ(parked().size(), 1U);
}

}  // namespace
}  // namespace sluice::outbox
