// Handlers outside any transaction, on a real database: leases, acknowledgements by message, tries.
#include <algorithm>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sluice/outbox/internal/sql.hpp"
#include "sluice/outbox/internal/test_leased.hpp"

namespace sluice::outbox {
namespace {

using std::chrono::milliseconds;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Gt;
using ::testing::Le;
using ::testing::UnorderedElementsAre;

TEST(LeasedOnDatabase, what_was_settled_is_acknowledged_and_not_delivered_again) {
    Leased test;
    test.start();
    test.publish(1, 10);
    ASSERT_TRUE(test.bed.drained());
    test.bed.stop();

    test.start();
    test.publish(11, 12);

    ASSERT_TRUE(test.bed.drained());
    EXPECT_EQ(test.leases.tries.size(), 12U);
    EXPECT_EQ(test.cursor(), 12);
}

TEST(LeasedOnDatabase, a_lease_stands_in_the_cursor_while_the_handler_has_the_batch) {
    Leased test;
    Gate gate(test.bed.shard);
    test.leases.gate = &gate;
    test.start();
    test.publish(1, 3);
    EXPECT_TRUE(test.leases.watch.until([&] { return gate.waiting() == 1; }));

    EXPECT_EQ(test.bed.number("select lease_up_to from sluice_cursor"), 3);
    EXPECT_EQ(test.bed.number(sql::expand("select lease_until > {now} from sluice_cursor", test.bed.dialect())), 1);
    gate.open();

    EXPECT_TRUE(test.bed.drained());
    EXPECT_EQ(test.bed.number("select count(*) from sluice_cursor where lease_until is null and lease_up_to is null"),
              1);
}

TEST(LeasedOnDatabase, a_lease_is_renewed_while_messages_are_settled) {
    Leased test;
    test.declare();
    test.publish(1, 12);
    test.leases.work = milliseconds(100);

    test.start(lease_of(milliseconds(700), milliseconds(100)));

    ASSERT_TRUE(test.bed.drained());
    EXPECT_EQ(test.leases.tries.size(), 12U) << "the handler lost its lease at work";
    EXPECT_THAT(test.leases.sizes, ElementsAre(12));
    EXPECT_GE(test.bed.number("select count(*) from taken"), 3) << "taken once, then renewed";
    EXPECT_THAT(test.leases.remaining, Each(Gt(milliseconds(0))));
    EXPECT_THAT(test.leases.remaining, Each(Le(milliseconds(500))));
}

TEST(LeasedOnSqlite, a_lease_that_cannot_be_renewed_for_a_while_costs_no_message_a_try) {
    Leased test(1, [](db::sqlite::Settings& settings) { settings.busy_timeout = milliseconds(10); });
    const Effects table(test.bed);
    const auto other = test.bed.open();
    Gate locked(test.bed.shard);
    test.declare();
    test.publish(1, 8);
    test.leases.work = milliseconds(100);
    test.start(lease_of(milliseconds(400), milliseconds(50)));
    EXPECT_TRUE(test.leases.watch.until([&] { return !test.leases.settled.empty(); }));
    runtime::TaskScope scope(test.bed.shard, core::Logger());
    scope.spawn("lock", hold_lock(*other, locked, test.leases.watch));
    EXPECT_TRUE(test.leases.watch.until([&] { return locked.waiting() == 1; }));

    EXPECT_TRUE(test.leases.watch.until([&] { return test.leases.settled.size() == 6; })) << "it was cancelled";
    locked.open();

    EXPECT_TRUE(test.bed.drained());
    test.bed.run(scope.join());
    EXPECT_EQ(test.leases.tries.size(), 8U);
    EXPECT_EQ(test.bed.number("select count(*) from sluice_attempt"), 0);
}

TEST(LeasedOnDatabase, a_handler_that_settles_nothing_is_cancelled_at_its_deadline) {
    Leased test;
    Gate gate(test.bed.shard);
    test.leases.gate = &gate;
    test.start(lease_of(milliseconds(150), milliseconds(50)));
    test.publish(1, 1);

    EXPECT_EQ(eventually(test.bed, "select count(*) from sluice_attempt where reason like '%lease ran out%'", 1), 1);
    test.leases.gate = nullptr;
    gate.open();

    EXPECT_TRUE(test.bed.drained());
    EXPECT_THAT(test.leases.settled, ElementsAre("1"));
    EXPECT_GE(test.leases.tries.back().attempts, 1);
}

/// Settles the first message of every batch, then waits for ever if there are more.
db::Task<void> settle_one(LeasedBatch& batch, Leases& leases, Gate& gate) {
    for (const Message& message : batch.messages())
        leases.tries.push_back(message);
    batch.settle(0, Outcome::ok());
    leases.watch.ring();
    if (batch.messages().size() > 1) co_await gate.pass();
}

TEST(LeasedOnDatabase, what_was_settled_before_the_deadline_stays_settled) {
    Leased test;
    Gate gate(test.bed.shard);
    test.declare();
    test.publish(1, 4);
    test.start_with([&](LeasedBatch& batch) { return settle_one(batch, test.leases, gate); },
                    lease_of(milliseconds(150), milliseconds(50)));

    EXPECT_TRUE(test.bed.drained());

    EXPECT_EQ(test.leases.tries_of("1"), 1U);
    EXPECT_GE(test.leases.tries_of("2"), 2U);
    test.bed.stop();
}

TEST(LeasedOnDatabase, acknowledgements_name_messages) {
    Leased test;
    test.declare();
    test.publish(1, 5);
    test.leases.answer = [](const Message& message) {
        return message.payload == "3" && message.attempts < 2 ? Outcome::retry("later", milliseconds(30))
                                                              : Outcome::ok();
    };
    test.start();

    ASSERT_TRUE(test.bed.drained());

    EXPECT_EQ(test.leases.tries_of("3"), 3U);
    for (const char* const other : {"1", "2", "4", "5"})
        EXPECT_EQ(test.leases.tries_of(other), 1U) << other;
    EXPECT_EQ(test.cursor(), 5);
}

TEST(LeasedOnDatabase, the_cursor_waits_at_the_first_message_that_is_not_done) {
    Leased test;
    test.declare();
    test.publish(1, 5);
    test.leases.answer = [](const Message& message) {
        return message.payload == "3" ? Outcome::retry("never") : Outcome::ok();
    };
    test.start();

    EXPECT_TRUE(test.leases.watch.until([&] { return test.leases.tries_of("3") >= 3; }));

    EXPECT_EQ(test.cursor(), 2);
    EXPECT_EQ(test.leases.tries_of("5"), 1U);
}

TEST(LeasedOnDatabase, an_idempotency_key_is_the_same_at_every_try_and_no_others) {
    Leased test(4);
    test.leases.answer = [](const Message& message) {
        return message.attempts < 2 ? Outcome::retry("again") : Outcome::ok();
    };
    test.start();
    test.publish(1, 20);

    ASSERT_TRUE(test.bed.drained());

    std::map<std::string, std::set<std::string>> keys;
    std::set<std::string> all;
    for (const Message& message : test.leases.tries) {
        keys[message.payload].insert(message.idempotency_key());
        all.insert(message.idempotency_key());
    }
    EXPECT_EQ(keys.size(), 20U);
    EXPECT_EQ(all.size(), 20U);
    for (const auto& [payload, of_one] : keys)
        EXPECT_EQ(of_one.size(), 1U) << payload;
    EXPECT_EQ(test.leases.tries.size(), 60U);
}

TEST(LeasedOnDatabase, what_is_published_behind_a_message_that_waits_comes_after_it) {
    Leased test;
    bool released = false;
    test.leases.answer = [&](const Message& message) {
        return message.payload == "a1" && !released ? Outcome::retry("not yet") : Outcome::ok();
    };
    test.start();
    test.bed.publish("orders", {{"a", "a1"}});
    EXPECT_TRUE(test.leases.watch.until([&] { return test.leases.tries_of("a1") >= 2; }));

    test.bed.publish("orders", {{"a", "a2"}, {"a", "a3"}});
    const std::size_t tries = test.leases.tries_of("a1");
    EXPECT_TRUE(test.leases.watch.until([&] { return test.leases.tries_of("a1") >= tries + 2; }));
    EXPECT_EQ(test.leases.tries_of("a2"), 0U);
    released = true;

    EXPECT_TRUE(test.bed.drained());
    EXPECT_THAT(test.leases.settled, ElementsAre("a1", "a2", "a3"));
    test.bed.stop();
}

TEST(LeasedOnDatabase, an_exception_is_a_failure_of_what_was_not_settled) {
    Leased test;
    test.declare();
    test.publish(1, 3);
    test.leases.answer = [](const Message& message) -> std::optional<Outcome> {
        if (message.payload == "2" && message.attempts < 2) throw std::runtime_error("no paper");
        return Outcome::ok();
    };
    test.start();

    ASSERT_TRUE(test.bed.drained());

    EXPECT_EQ(test.leases.tries_of("1"), 1U);
    EXPECT_THAT(test.leases.settled, UnorderedElementsAre("1", "2", "3"));
    EXPECT_EQ(test.bed.number("select count(*) from sluice_attempt"), 0);
    EXPECT_EQ(test.leases.tries.back().payload, "3");
}

TEST(LeasedOnDatabase, what_is_left_unsettled_comes_again) {
    Leased test;
    test.leases.answer = [](const Message& message) -> std::optional<Outcome> {
        if (message.attempts < 2) return std::nullopt;
        return Outcome::ok();
    };
    test.start();
    test.publish(1, 1);

    EXPECT_EQ(eventually(test.bed, "select count(*) from sluice_cursor where seq = 1", 1), 1);
    EXPECT_EQ(test.leases.tries.size(), 3U);
}

db::Task<void> change_mind(LeasedBatch& batch, std::size_t& tries) {
    ++tries;
    for (std::size_t i = 0; i < batch.messages().size(); ++i) {
        batch.settle(i, Outcome::retry("no"));
        batch.settle(i, Outcome::ok());
    }
    co_return;
}

TEST(LeasedOnDatabase, the_last_word_about_a_message_counts) {
    Leased test;
    std::size_t tries = 0;
    test.start_with([&](LeasedBatch& batch) { return change_mind(batch, tries); });

    test.publish(1, 3);

    EXPECT_TRUE(test.bed.drained());
    EXPECT_EQ(tries, 1U);
    EXPECT_EQ(test.bed.number("select count(*) from sluice_attempt"), 0);
    test.bed.stop();
}

TEST(LeasedOnDatabase, a_key_that_fails_is_set_aside_and_comes_back_in_its_order) {
    Leased test;
    test.declare();
    test.bed.publish("orders", {{"a", "a1"}, {"b", "b1"}});
    bool released = false;
    test.leases.answer = [&](const Message& message) {
        return message.key == "a" && !released ? Outcome::retry("not yet") : Outcome::ok();
    };
    SubscriptionSettings settings = patient();
    settings.set_aside_after = milliseconds(0);
    test.start({}, settings);
    EXPECT_EQ(eventually(test.bed, "select count(*) from sluice_parked", 1), 1);

    test.bed.publish("orders", {{"a", "a2"}, {"b", "b2"}, {"a", "a3"}});
    EXPECT_EQ(eventually(test.bed, "select count(*) from sluice_parked", 3), 3);
    EXPECT_TRUE(test.bed.drained()) << "the cursor passes what waits apart";
    EXPECT_THAT(test.leases.settled, ElementsAre("b1", "b2"));
    released = true;

    EXPECT_EQ(eventually(test.bed, "select count(*) from sluice_parked", 0), 0);
    EXPECT_THAT(test.leases.settled, ElementsAre("b1", "b2", "a1", "a2", "a3"));
    test.bed.stop();
}

TEST(LeasedOnDatabase, a_batch_shrinks_to_the_message_at_fault_and_grows_again) {
    Leased test;
    test.declare();
    test.publish(1, 60);
    test.leases.answer = [](const Message& message) -> std::optional<Outcome> {
        if (message.payload == "5" && message.attempts < 1) throw std::runtime_error("at fault");
        return Outcome::ok();
    };
    SubscriptionSettings settings = patient();
    settings.batch = 16;

    test.start({}, settings);

    ASSERT_TRUE(test.bed.drained());
    EXPECT_EQ(test.leases.settled.size(), 60U);
    EXPECT_EQ(std::set<std::string>(test.leases.settled.begin(), test.leases.settled.end()).size(), 60U);
    std::size_t largest_at_the_end = 0;
    for (std::size_t i = test.leases.sizes.size() / 2; i < test.leases.sizes.size(); ++i)
        largest_at_the_end = std::max(largest_at_the_end, test.leases.sizes[i]);
    EXPECT_EQ(test.leases.sizes[0], 16U);
    EXPECT_EQ(largest_at_the_end, 16U);
}

}  // namespace
}  // namespace sluice::outbox
