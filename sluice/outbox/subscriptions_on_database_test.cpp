// Keys that are set aside, and subscriptions beside each other, on a real database.
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sluice/outbox/internal/test_transactional.hpp"
#include "sluice/outbox/lane_hash.hpp"

namespace sluice::outbox {
namespace {

using ::testing::ElementsAre;

/// Key "a" fails until `release`.
struct Stubborn {
    explicit Stubborn(Transactional& test) {
        test.effects.answer = [this](const Message& message) {
            return message.key == "a" && !released ? Outcome::retry("not yet") : Outcome::ok();
        };
    }
    static SubscriptionSettings settings() {
        SubscriptionSettings impatient = patient();
        impatient.set_aside_after = std::chrono::milliseconds(0);
        return impatient;
    }
    bool released = false;
};

TEST(SubscriptionsOnDatabase, a_key_that_fails_is_set_aside_and_its_lane_goes_on) {
    Transactional test;
    test.declare();
    test.bed.publish("orders", {{"a", "a1"}, {"b", "b1"}, {"a", "a2"}, {"b", "b2"}});
    const Stubborn stubborn(test);
    test.start(Stubborn::settings());

    EXPECT_EQ(eventually(test.bed, "select count(*) from sluice_parked", 2), 2);

    EXPECT_TRUE(test.bed.drained()) << "the cursor passes what waits apart";
    test.bed.stop();
    EXPECT_THAT(test.effects.committed(), ElementsAre("b1", "b2"));
    EXPECT_EQ(test.cursor(), 4);
    EXPECT_LE(test.effects.tries_of("a2"), 1U) << "only in the batch that was undone, if at all";
}

TEST(SubscriptionsOnDatabase, messages_of_a_key_that_is_set_aside_return_in_their_order) {
    Transactional test;
    test.declare();
    test.bed.publish("orders", {{"a", "a1"}, {"b", "b1"}, {"a", "a2"}});
    Stubborn stubborn(test);
    test.start(Stubborn::settings());
    EXPECT_EQ(eventually(test.bed, "select count(*) from sluice_parked", 2), 2);
    for (int i = 3; i <= 40; ++i)
        test.bed.publish("orders", {{"a", "a" + std::to_string(i)}, {"b", "b" + std::to_string(i)}});
    EXPECT_EQ(eventually(test.bed, "select count(*) from sluice_parked", 40), 40);

    stubborn.released = true;

    EXPECT_EQ(eventually(test.bed, "select count(*) from sluice_parked", 0), 0);
    test.bed.publish("orders", {{"a", "a41"}});
    ASSERT_TRUE(test.bed.drained());
    std::vector<std::string> expected;
    for (int i = 1; i <= 41; ++i)
        expected.push_back("a" + std::to_string(i));
    EXPECT_EQ(test.effects.committed_of("a"), expected);
}

TEST(SubscriptionsOnDatabase, a_key_that_is_set_aside_stays_so_over_a_restart) {
    Transactional test;
    test.declare();
    test.bed.publish("orders", {{"a", "a1"}, {"a", "a2"}, {"b", "b1"}});
    Stubborn stubborn(test);
    test.start(Stubborn::settings());
    EXPECT_EQ(eventually(test.bed, "select count(*) from sluice_parked", 2), 2);
    test.bed.stop();
    test.bed.publish("orders", {{"a", "a3"}, {"b", "b2"}});
    stubborn.released = true;

    test.start(Stubborn::settings());

    ASSERT_TRUE(test.bed.drained());
    EXPECT_EQ(eventually(test.bed, "select count(*) from sluice_parked", 0), 0);
    EXPECT_THAT(test.effects.committed_of("a"), ElementsAre("a1", "a2", "a3"));
    EXPECT_THAT(test.effects.committed_of("b"), ElementsAre("b1", "b2"));
}

TEST(SubscriptionsOnDatabase, messages_without_a_key_are_set_aside_one_by_one) {
    Transactional test;
    test.declare();
    test.bed.publish("orders", {{"", "1"}, {"", "2"}, {"", "3"}});
    bool released = false;
    test.effects.answer = [&](const Message& message) {
        return message.payload == "1" && !released ? Outcome::retry("not yet") : Outcome::ok();
    };
    test.start(Stubborn::settings());

    EXPECT_EQ(eventually(test.bed, "select count(*) from sluice_parked", 1), 1);
    ASSERT_TRUE(test.bed.drained());
    EXPECT_THAT(test.effects.committed(), ElementsAre("2", "3"));
    released = true;

    EXPECT_EQ(eventually(test.bed, "select count(*) from effect", 3), 3);
}

TEST(SubscriptionsOnDatabase, a_lane_that_waits_holds_no_other_lane) {
    Transactional test(8);
    test.effects.answer = [](const Message& message) {
        return message.key == "stuck" ? Outcome::retry("never") : Outcome::ok();
    };
    test.start();
    Payloads unit{{"stuck", "x"}};
    std::int64_t elsewhere = 0;
    for (int i = 0; i < 40; ++i) {
        unit.emplace_back("key-" + std::to_string(i), std::to_string(i));
        elsewhere += lane_of(unit.back().first, 0, 8) != lane_of("stuck", 0, 8) ? 1 : 0;
    }
    test.bed.publish("orders", unit);

    EXPECT_EQ(eventually(test.bed, "select count(*) from effect", elsewhere), elsewhere);
    EXPECT_LT(elsewhere, 40) << "the stuck lane has other keys too";
    std::size_t lanes_behind = 0;
    for (const CursorStatus& status : test.bed.outbox->status())
        lanes_behind += status.acknowledged < status.head ? 1U : 0U;
    EXPECT_EQ(lanes_behind, 1U);
    EXPECT_FALSE(test.bed.drained(std::chrono::milliseconds(1)));
}

TEST(SubscriptionsOnDatabase, subscriptions_have_cursors_of_their_own) {
    Transactional test;
    Seen other;
    auto builder = test.prepare();
    test.effects.answer = [](const Message&) { return Outcome::retry("never"); };
    builder.transactional("orders", "audit", test.effects.handler(), patient());
    builder.transactional("orders", "mail", other.handler());
    test.bed.start(builder);

    test.bed.publish("orders", numbered(5));

    EXPECT_EQ(eventually(test.bed, "select seq from sluice_cursor where subscription = 'mail'", 5), 5);
    EXPECT_EQ(other.payloads(), payloads(5));
    EXPECT_EQ(test.cursor(), 0);
}

TEST(SubscriptionsOnDatabase, a_new_subscription_begins_where_it_is_told) {
    Transactional test;
    test.start();
    test.bed.publish("orders", numbered(3));
    ASSERT_TRUE(test.bed.drained());
    test.bed.stop();
    Seen from_start;
    Seen from_now;
    SubscriptionSettings now = patient();
    now.from = From::now;
    auto builder = test.prepare();
    builder.transactional("orders", "audit", test.effects.handler());
    builder.transactional("orders", "early", from_start.handler());
    builder.transactional("orders", "late", from_now.handler(), now);
    test.bed.start(builder);

    test.bed.publish("orders", {{"k", "4"}});

    ASSERT_TRUE(test.bed.drained());
    EXPECT_EQ(from_start.payloads(), payloads(4));
    EXPECT_THAT(from_now.payloads(), ElementsAre("4"));
    EXPECT_EQ(test.effects.committed(), payloads(4));
}

TEST(SubscriptionsOnDatabase, from_now_counts_only_for_a_subscription_that_is_new) {
    Transactional test;
    SubscriptionSettings now = patient();
    now.from = From::now;
    test.start(now);
    test.bed.publish("orders", numbered(2));
    ASSERT_TRUE(test.bed.drained());
    test.bed.stop();
    test.bed.publish("orders", {{"k", "3"}});

    test.start(now);

    ASSERT_TRUE(test.bed.drained());
    EXPECT_EQ(test.effects.committed(), payloads(3));
}

/// Publishes an answer to every message, in the handler's unit.
db::Task<Outcome> answer_in_unit(db::UnitOfWork& unit, const Message& message) {
    publish(unit, Testbed::outgoing("answers", message.key, "re " + message.payload));
    co_await unit.execute("insert into effect(\"key\", payload) values ($1, $2)", message.key, message.payload);
    co_return message.attempts < 2 ? Outcome::retry("again") : Outcome::ok();
}

TEST(SubscriptionsOnDatabase, what_a_handler_publishes_commits_with_its_cursor_and_is_undone_with_a_failed_try) {
    Transactional test;
    Seen answers;
    auto builder = test.prepare();
    builder.queue("answers", lanes(1));
    builder.transactional("orders", "audit", answer_in_unit, patient());
    builder.transactional("answers", "reader", answers.handler());
    test.bed.start(builder);

    test.bed.publish("orders", numbered(3));

    ASSERT_TRUE(test.bed.drained());
    EXPECT_EQ(eventually(test.bed, "select seq from sluice_cursor where subscription = 'reader'", 3), 3);
    EXPECT_THAT(answers.payloads(), ElementsAre("re 1", "re 2", "re 3"));
}

/// At most `most` handlers at once; all wait at the gate.
struct Crowd {
    Gate& gate;
    Watch& watch;
    std::size_t inside = 0;
    std::size_t most = 0;

    TransactionalHandler handler() {
        return [this](db::UnitOfWork&, const Message&) { return take(); };
    }
    db::Task<Outcome> take() {
        most = std::max(most, ++inside);
        watch.ring();
        co_await gate.pass();
        --inside;
        co_return Outcome::ok();
    }
};

TEST(SubscriptionsOnDatabase, no_more_batches_are_in_hand_than_processors) {
    Transactional test(16);
    Gate gate(test.bed.shard);
    Crowd crowd{gate, test.effects.watch};
    Settings settings;
    settings.processors = 3;
    auto builder = test.prepare();
    builder.settings(settings).transactional("orders", "audit", crowd.handler());
    test.bed.start(builder);
    Payloads unit;
    for (int i = 0; i < 64; ++i)
        unit.emplace_back("key-" + std::to_string(i), std::to_string(i));
    test.bed.publish("orders", unit);

    EXPECT_TRUE(test.effects.watch.until([&] { return crowd.inside == 3; }));
    gate.open();

    ASSERT_TRUE(test.bed.drained());
    EXPECT_EQ(crowd.most, 3U);
}

TEST(SubscriptionsOnDatabase, a_long_backlog_is_read_in_chunks_and_delivered_in_order) {
    Transactional test(4);
    test.declare();
    std::map<std::string, std::vector<std::string>> published;
    for (int unit = 0; unit < 20; ++unit) {
        Payloads some;
        for (int i = 0; i < 100; ++i) {
            const std::string key = "key-" + std::to_string(i % 9);
            some.emplace_back(key, std::to_string(unit * 100 + i));
            published[key].push_back(some.back().second);
        }
        test.bed.publish("orders", some);
    }
    Settings settings;
    settings.backlog_chunk = 64;
    auto builder = test.prepare();
    builder.settings(settings).transactional("orders", "audit", test.effects.handler());
    test.bed.start(builder);

    ASSERT_TRUE(test.bed.drained());

    EXPECT_EQ(test.effects.tries.size(), 2'000U);
    for (const auto& [key, expected] : published)
        EXPECT_EQ(test.effects.committed_of(key), expected) << key;
}

}  // namespace
}  // namespace sluice::outbox
