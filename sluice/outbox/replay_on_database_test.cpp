// Dead letters delivered again on a real database: to whom, in which place, and what becomes of the letter.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sluice/outbox/internal/test_replay.hpp"
#include "sluice/runtime/scope.hpp"

namespace sluice::outbox {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(ReplayOnDatabase, reaches_the_subscription_that_failed_and_no_other) {
    bury("a", "1");
    audit.accept("1");

    const LetterReport report = replay();
    ASSERT_TRUE(bed.drained());

    EXPECT_THAT(report.ids, ElementsAre(1));
    EXPECT_THAT(audit.payloads(), ElementsAre("1"));
    EXPECT_THAT(mail.payloads(), ElementsAre("1"));
    EXPECT_EQ(bed.number("select min(seq) from sluice_cursor"), 2) << "the other cursor passed over the copy";
}

TEST_F(ReplayOnDatabase, of_one_message_goes_to_each_subscription_for_its_own_letter) {
    mail.reject("1");
    bury("a", "1");
    ASSERT_EQ(bed.count(), 2U);
    audit.accept("1");
    mail.accept("1");

    replay();
    ASSERT_TRUE(bed.drained());

    EXPECT_THAT(audit.payloads(), ElementsAre("1"));
    EXPECT_THAT(mail.payloads(), ElementsAre("1"));
    EXPECT_EQ(bed.count(LetterState::resolved), 2U);
}

db::Task<void> replay_all_counted(LettersBed& bed, std::size_t& replayed) {
    const DeadLetterFilter all;
    const LetterOptions options;
    const LetterReport report = co_await bed.letters().replay(all, options, ReplayPlace::lane_end);
    replayed += report.ids.size();
}

runtime::Task<void> replay_twice_at_once(LettersBed& bed, std::size_t& replayed) {
    runtime::TaskScope scope(bed.shard, bed.log());
    scope.spawn("one", replay_all_counted(bed, replayed));
    scope.spawn("other", replay_all_counted(bed, replayed));
    co_await scope.join();
    EXPECT_EQ(scope.failed(), 0U);
}

TEST_F(ReplayOnDatabase, of_two_replays_at_once_one_has_the_letter) {
    for (int round = 1; round <= 20; ++round) {
        const std::string payload = std::to_string(round);
        bury("a", payload);
        audit.accept(payload);
        std::size_t replayed = 0;

        bed.run(replay_twice_at_once(bed, replayed));
        ASSERT_TRUE(bed.drained());

        EXPECT_EQ(replayed, 1U);
        ASSERT_EQ(audit.payloads().size(), static_cast<std::size_t>(round));
    }
}

TEST_F(ReplayOnDatabase, carries_all_that_the_message_had) {
    Outgoing message = Testbed::outgoing("orders", "a", std::string("\x00\xff", 2));
    message.type = "Placed";
    message.tenant = "shop_a";
    message.trace = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01";
    message.headers = {{"origin", "till"}};
    for (const ReplayPlace place : {ReplayPlace::lane_end, ReplayPlace::in_order}) {
        audit.reject(message.payload);
        bed.publish_message(message);
        ASSERT_TRUE(bed.drained());
        audit.accept(message.payload);
        audit.done.clear();

        replay(place);
        ASSERT_TRUE(bed.until([&] { return audit.done.size() == 1; }));

        const Message& again = audit.done.at(0);
        EXPECT_EQ(again.key, message.key);
        EXPECT_EQ(again.type, message.type);
        EXPECT_EQ(again.payload, message.payload);
        EXPECT_EQ(again.tenant, message.tenant);
        EXPECT_EQ(again.trace, message.trace);
        EXPECT_EQ(again.headers.at("origin"), "till");
    }
}

TEST_F(ReplayOnDatabase, at_the_end_comes_after_everything_of_its_lane) {
    bury("a", "1");
    bed.publish("orders", {{"a", "2"}, {"b", "3"}});
    ASSERT_TRUE(bed.drained());
    audit.accept("1");

    replay();
    ASSERT_TRUE(bed.drained());

    EXPECT_THAT(audit.payloads(), ElementsAre("2", "3", "1"));
    EXPECT_EQ(audit.done.back().sequence, core::Sequence(4));
}

TEST_F(ReplayOnDatabase, holds_its_letter_until_it_is_delivered_and_resolves_it_then) {
    bury("a", "1");
    audit.set_aside("1");

    const LetterReport report = replay();
    ASSERT_TRUE(bed.becomes("select count(*) from sluice_parked", 1));

    EXPECT_FALSE(report.claim.empty());
    EXPECT_EQ(bed.count(LetterState::reprocessing), 1U);
    EXPECT_THAT(replay().ids, IsEmpty()) << "it is under way";
    audit.accept("1");
    EXPECT_EQ(bed.run(bed.letters().release("audit", "orders", "a")), 1U);
    ASSERT_TRUE(nothing_apart());
    EXPECT_EQ(bed.count(LetterState::resolved), 1U);
    EXPECT_THAT(history(1), ElementsAre("replayed/ann/at the end of its lane", HasSubstr("resolved//delivered as")));
}

TEST_F(ReplayOnDatabase, that_fails_again_makes_the_same_letter_pending_with_more_failures) {
    bury("a", "1");
    audit.reject("1", "still no");

    replay();
    ASSERT_TRUE(bed.becomes("select count(*) from sluice_dead_letter where state = 'pending'", 1));

    EXPECT_EQ(bed.number("select count(*) from sluice_dead_letter"), 1);
    const DeadLetter letter = bed.list().at(0);
    EXPECT_EQ(letter.reason, "still no");
    EXPECT_EQ(letter.message.attempts, 2);
    EXPECT_EQ(letter.message.id, core::MessageId(1)) << "it remains the message that failed first";
    EXPECT_THAT(history(1), ElementsAre("replayed/ann/at the end of its lane", "failed again//still no"));
    audit.accept("1");
    replay();
    ASSERT_TRUE(bed.becomes("select count(*) from sluice_dead_letter where state = 'resolved'", 1));
    EXPECT_THAT(audit.payloads(), ElementsAre("1"));
}

TEST_F(ReplayOnDatabase, works_when_the_message_itself_is_gone) {
    bury("a", "1");
    bury("b", "2");
    bed.publish("orders", {{"c", "newest"}});
    ASSERT_TRUE(bed.drained());
    bed.execute("delete from sluice_message where id < 3");
    audit.accept("1");
    audit.accept("2");
    DeadLetterFilter first;
    first.ids = {1};
    DeadLetterFilter second;
    second.ids = {2};

    replay(ReplayPlace::lane_end, first);
    replay(ReplayPlace::in_order, second);
    ASSERT_TRUE(bed.becomes("select count(*) from sluice_dead_letter where state = 'resolved'", 2));

    EXPECT_THAT(audit.payloads_of("a"), ElementsAre("1"));
    EXPECT_THAT(audit.payloads_of("b"), ElementsAre("2"));
}

TEST_F(ReplayOnDatabase, that_a_person_ended_meanwhile_is_delivered_and_leaves_the_letter_alone) {
    bury("a", "1");
    audit.set_aside("1");
    const LetterReport report = replay();
    ASSERT_TRUE(bed.becomes("select count(*) from sluice_parked", 1));
    bed.run(bed.letters().reject(report.claim, "given up waiting"));

    audit.accept("1");
    bed.run(bed.letters().release("audit", "orders", "a"));
    ASSERT_TRUE(nothing_apart());

    EXPECT_THAT(audit.payloads(), ElementsAre("1"));
    EXPECT_EQ(bed.list().at(0).reason, "given up waiting");
    EXPECT_THAT(history(1), ElementsAre("replayed/ann/at the end of its lane", "rejected//given up waiting"));
}

TEST_F(ReplayOnDatabase, leaves_no_copies_in_the_log_for_rebuilds) {
    bury("a", "1");
    bed.publish("orders", {{"a", "2"}});
    ASSERT_TRUE(bed.drained());
    replay();
    ASSERT_TRUE(bed.drained());
    bed.publish("orders", {{"a", "3"}});
    ASSERT_TRUE(bed.drained());

    std::vector<std::string> payloads;
    for (const Message& message : bed.run(bed.outbox->read_log(core::Position(0), bed.outbox->head(), 100)))
        payloads.push_back(message.payload);

    EXPECT_EQ(bed.outbox->head(), core::Position(4));
    EXPECT_THAT(payloads, ElementsAre("1", "2", "3"));
}

TEST_F(ReplayOnDatabase, for_a_subscription_that_does_not_run_waits_for_its_next_start) {
    for (const ReplayPlace place : {ReplayPlace::lane_end, ReplayPlace::in_order}) {
        bury("a", "1");
        bed.publish("orders", {{"b", "2"}});
        ASSERT_TRUE(bed.drained());
        bed.stop();
        auto without = bed.builder();
        without.queue("orders", lanes(1)).transactional("orders", "mail", mail.handler());
        bed.start(without);
        mail.done.clear();
        audit.done.clear();
        audit.accept("1");

        EXPECT_EQ(replay(place).ids.size(), 1U);
        ASSERT_TRUE(bed.drained());
        EXPECT_THAT(mail.payloads(), IsEmpty());
        bed.stop();
        start();

        ASSERT_TRUE(bed.until([&] { return !audit.done.empty(); }));
        EXPECT_THAT(audit.payloads(), ElementsAre("1"));
        ASSERT_TRUE(bed.becomes("select count(*) from sluice_dead_letter where state = 'reprocessing'", 0));
    }
    EXPECT_EQ(bed.count(LetterState::resolved), 2U);
}

TEST_F(ReplayOnDatabase, that_is_under_way_at_a_restart_is_delivered_after_it) {
    bury("a", "1");
    bury("b", "2");
    audit.set_aside("1");
    audit.set_aside("2");
    DeadLetterFilter first;
    first.ids = {1};
    DeadLetterFilter second;
    second.ids = {2};
    replay(ReplayPlace::lane_end, first);
    replay(ReplayPlace::in_order, second);
    ASSERT_TRUE(bed.becomes("select count(*) from sluice_parked", 2));

    bed.stop();
    audit.accept("1");
    audit.accept("2");
    start();

    ASSERT_TRUE(nothing_apart());
    EXPECT_THAT(audit.payloads_of("a"), ElementsAre("1"));
    EXPECT_THAT(audit.payloads_of("b"), ElementsAre("2"));
    EXPECT_EQ(bed.count(LetterState::resolved), 2U);
}

TEST_F(ReplayOnDatabase, of_a_message_whose_queue_was_unknown_publishes_it_to_everybody_once_the_queue_is_known) {
    bed.execute("insert into sluice_message(queue, \"key\", type, payload) values (2, 'a', 'Noted', 'early')");
    ASSERT_TRUE(bed.becomes("select count(*) from sluice_dead_letter", 1));
    EXPECT_THAT(replay().ids, IsEmpty());
    bed.stop();
    Script& clerk = bed.script();
    auto builder = bed.builder();
    builder.queue("orders", lanes(1)).queue("stock", lanes(2));
    builder.transactional("stock", "clerk", clerk.handler());
    bed.start(builder);

    EXPECT_THAT(replay().ids, ElementsAre(1));
    ASSERT_TRUE(bed.drained());

    EXPECT_THAT(clerk.payloads(), ElementsAre("early"));
    EXPECT_EQ(clerk.done.at(0).headers.size(), 0U);
    EXPECT_EQ(bed.count(LetterState::resolved), 1U);
}

TEST_F(ReplayOnDatabase, passes_by_letters_of_unknown_queues_also_in_its_limit_and_in_a_dry_run) {
    bed.execute("insert into sluice_message(queue, \"key\", type, payload) values (77, 'a', 'Noted', 'nobody''s')");
    ASSERT_TRUE(bed.becomes("select count(*) from sluice_dead_letter", 1));
    bury("a", "1");
    LetterOptions options;
    options.limit = 1;
    options.dry_run = true;

    EXPECT_THAT(bed.run(bed.letters().replay({}, options)).ids, ElementsAre(2));
    options.dry_run = false;
    EXPECT_THAT(bed.run(bed.letters().replay({}, options)).ids, ElementsAre(2));
    DeadLetterFilter open;  // in one look: a letter may go from one state to the other between two
    open.states = {LetterState::pending, LetterState::reprocessing};
    EXPECT_EQ(bed.count(open), 2U);
}

TEST(ReplayMerged, reaches_a_subscription_of_several_queues_and_it_alone) {
    LettersBed bed;
    Script& view = bed.script();
    Script& other = bed.script();
    auto builder = bed.builder();
    builder.queue("orders", lanes(2)).queue("stock", lanes(2));
    builder.batch_merged({"orders", "stock"}, "view", view.batch_handler(), hasty(2));
    builder.batch_merged({"orders", "stock"}, "other", other.batch_handler(), hasty(2));
    bed.start(builder);
    view.retry("1");
    bed.publish("stock", {{"a", "1"}, {"a", "2"}});
    ASSERT_TRUE(bed.becomes("select count(*) from sluice_dead_letter", 1));
    ASSERT_TRUE(bed.drained());
    view.accept("1");

    for (const ReplayPlace place : {ReplayPlace::lane_end, ReplayPlace::in_order}) {
        bed.run(bed.letters().replay({}, {}, place));
        ASSERT_TRUE(bed.becomes("select count(*) from sluice_dead_letter where state = 'resolved'", 1));
        bed.execute("update sluice_dead_letter set state = 'pending'");
        ASSERT_TRUE(bed.drained());
    }

    EXPECT_THAT(view.payloads(), ElementsAre("2", "1", "1"));
    EXPECT_THAT(other.payloads(), ElementsAre("1", "2"));
}

TEST(ReplayLeased, reaches_a_leased_subscription_and_it_alone) {
    LettersBed bed;
    Script& push = bed.script();
    Script& other = bed.script();
    auto builder = bed.builder();
    builder.queue("orders", lanes(1));
    builder.leased("orders", "push", push.leased_handler(), {}, hasty(3));
    builder.leased("orders", "other", other.leased_handler(), {}, hasty(3));
    bed.start(builder);
    push.reject("1");
    bed.publish("orders", {{"a", "1"}, {"a", "2"}});
    ASSERT_TRUE(bed.becomes("select count(*) from sluice_dead_letter", 1));
    ASSERT_TRUE(bed.drained());
    push.accept("1");

    for (const ReplayPlace place : {ReplayPlace::lane_end, ReplayPlace::in_order}) {
        bed.run(bed.letters().replay({}, {}, place));
        ASSERT_TRUE(bed.becomes("select count(*) from sluice_dead_letter where state = 'resolved'", 1));
        bed.execute("update sluice_dead_letter set state = 'pending'");
        ASSERT_TRUE(bed.drained());
    }

    EXPECT_THAT(push.payloads(), ElementsAre("2", "1", "1"));
    EXPECT_THAT(other.payloads(), ElementsAre("1", "2"));
}

}  // namespace
}  // namespace sluice::outbox
