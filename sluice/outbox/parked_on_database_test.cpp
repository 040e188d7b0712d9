// Keys that are set aside on a real database: who waits, who goes on, and what the poison policies do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sluice/core/random.hpp"
#include "sluice/core/unique_id.hpp"
#include "sluice/outbox/internal/test_parked.hpp"

namespace sluice::outbox {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST_F(ParkedOnDatabase, a_key_that_fails_waits_with_its_later_messages_while_the_lane_goes_on) {
    start();
    audit.set_aside("1");

    bed.publish("orders", {{"a", "1"}, {"b", "2"}, {"a", "3"}});
    ASSERT_TRUE(bed.drained());
    bed.publish("orders", {{"a", "4"}, {"b", "5"}});
    ASSERT_TRUE(bed.drained());

    EXPECT_THAT(audit.payloads(), ElementsAre("2", "5"));
    EXPECT_EQ(bed.number("select seq from sluice_cursor"), 5);
    EXPECT_EQ(bed.number("select count(*) from sluice_parked"), 3);
}

TEST_F(ParkedOnDatabase, a_released_key_is_delivered_in_its_order_and_then_goes_the_plain_way) {
    start();
    audit.set_aside("1");
    bed.publish("orders", {{"a", "1"}, {"a", "2"}, {"a", "3"}});
    ASSERT_TRUE(bed.drained());
    audit.accept("1");

    EXPECT_EQ(release("a"), 1U);
    ASSERT_TRUE(nothing_apart());
    bed.publish("orders", {{"a", "4"}});
    ASSERT_TRUE(bed.drained());

    EXPECT_THAT(audit.payloads(), ElementsAre("1", "2", "3", "4"));
    EXPECT_EQ(bed.number("select count(*) from sluice_attempt"), 0);
}

TEST_F(ParkedOnDatabase, a_key_with_more_messages_than_one_unit_takes_keeps_its_order) {
    start();
    audit.set_aside("0");
    std::vector<std::pair<std::string, std::string>> messages;
    std::vector<std::string> wanted;
    for (int i = 0; i < 100; ++i) {
        messages.emplace_back("a", std::to_string(i));
        wanted.push_back(std::to_string(i));
    }
    bed.publish("orders", messages);
    ASSERT_TRUE(bed.drained());
    audit.accept("0");

    release("a");
    ASSERT_TRUE(nothing_apart());

    EXPECT_EQ(audit.payloads(), wanted);
}

/// Fails at random, else leaves a row: what was rolled back leaves none.
struct Chancy {
    explicit Chancy(std::uint64_t seed) : random(seed) {}
    core::Random random;
    std::size_t failed = 0;

    TransactionalHandler handler() {
        return [this](db::UnitOfWork& unit, const Message& message) { return take(unit, message); };
    }

private:
    db::Task<Outcome> take(db::UnitOfWork& unit, const Message& message) {
        co_await unit.execute("insert into effect(\"key\", number) values ($1, $2)", message.key,
                              std::stoll(message.payload));
        if (random.unit() >= 0.3) co_return Outcome::ok();
        ++failed;
        co_return Outcome::retry("by chance", milliseconds(1));
    }
};

/// Each message once and each key in its order, however its handler fails.
TEST_F(ParkedOnDatabase, nothing_overtakes_a_key_that_is_set_aside_however_its_handler_fails) {
    const std::uint64_t seed = core::random_seed();
    SCOPED_TRACE("seed " + std::to_string(seed));
    Chancy chancy(seed);
    core::Random random(seed + 1);
    bed.make_list("effect", "\"key\" text not null, number bigint not null");
    SubscriptionSettings settings = hasty(std::nullopt);
    settings.set_aside_after = milliseconds(0);
    struct Stopped {
        LettersBed& bed;
        ~Stopped() { bed.stop(); }
    };
    const Stopped before_the_handler_s_data_ends{bed};
    auto builder = bed.builder();
    builder.queue("orders", lanes(2)).transactional("orders", "audit", chancy.handler(), settings);
    bed.start(builder);
    std::map<std::string, int> published;
    for (int unit = 0; unit < 100; ++unit) {
        std::vector<std::pair<std::string, std::string>> messages;
        for (int i = 0; i < 5; ++i) {
            const std::string key = "k" + std::to_string(static_cast<int>(random.unit() * 6));
            messages.emplace_back(key, std::to_string(++published[key]));
        }
        bed.publish("orders", messages);
    }

    ASSERT_TRUE(bed.becomes("select count(*) from effect", 500));
    ASSERT_TRUE(nothing_apart());
    ASSERT_TRUE(bed.drained());

    EXPECT_EQ(bed.number("select count(*) from effect"), 500);
    EXPECT_EQ(bed.number("select count(*) from effect e where number <>"
                         " 1 + (select count(*) from effect p where p.\"key\" = e.\"key\" and p.n < e.n)"),
              0)
        << "a key overtook itself";
    EXPECT_GT(chancy.failed, 50U);
}

TEST_F(ParkedOnDatabase, a_restart_goes_on_with_the_key_before_its_later_messages) {
    start();
    audit.set_aside("1");
    bed.publish("orders", {{"a", "1"}, {"b", "2"}, {"a", "3"}});
    ASSERT_TRUE(bed.drained());
    bed.stop();
    bed.publish("orders", {{"a", "4"}, {"b", "5"}});
    audit.accept("1");

    start();
    ASSERT_TRUE(bed.drained());
    ASSERT_TRUE(nothing_apart());

    EXPECT_THAT(audit.payloads_of("a"), ElementsAre("1", "3", "4"));
    EXPECT_THAT(audit.payloads_of("b"), ElementsAre("2", "5"));
}

TEST_F(ParkedOnDatabase, two_keys_wait_for_themselves) {
    start();
    audit.set_aside("1");
    audit.set_aside("2");
    bed.publish("orders", {{"a", "1"}, {"b", "2"}, {"a", "3"}, {"b", "4"}});
    ASSERT_TRUE(bed.drained());
    audit.accept("1");
    audit.accept("2");

    EXPECT_EQ(release("b"), 1U);
    ASSERT_TRUE(bed.becomes("select count(*) from sluice_parked where \"key\" = 'b'", 0));

    EXPECT_THAT(audit.payloads(), ElementsAre("2", "4"));
    EXPECT_EQ(bed.number("select count(*) from sluice_parked where \"key\" = 'a'"), 2);
}

TEST_F(ParkedOnDatabase, messages_without_a_key_wait_alone_and_are_released_together) {
    start();
    audit.set_aside("1");
    audit.set_aside("3");
    bed.publish("orders", {{"", "1"}, {"", "2"}, {"", "3"}, {"", "4"}});
    ASSERT_TRUE(bed.drained());
    EXPECT_THAT(audit.payloads(), ElementsAre("2", "4"));
    audit.accept("1");
    audit.accept("3");

    EXPECT_EQ(release(""), 2U);
    ASSERT_TRUE(nothing_apart());

    EXPECT_THAT(audit.payloads(), ElementsAre("2", "4", "1", "3"));
}

TEST_F(ParkedOnDatabase, parked_tells_of_every_key_by_its_first_message) {
    start(hasty(1, PoisonPolicy::park_key));
    audit.retry("1");
    bed.publish("orders", {{"a", "1"}, {"a", "2"}, {"b", "3"}, {"a", "4"}});
    ASSERT_TRUE(bed.drained());
    audit.retry("5");
    bed.publish("orders", {{"", "5"}});
    ASSERT_TRUE(bed.drained());

    const std::vector<ParkedMessages> keys = parked();

    ASSERT_EQ(keys.size(), 2U);
    EXPECT_EQ(keys[0].subscription, "audit");
    EXPECT_EQ(keys[0].lane, core::LaneId(0));
    EXPECT_EQ(keys[0].queue, "orders");
    EXPECT_EQ(keys[0].key, "a");
    EXPECT_EQ(keys[0].first, core::Sequence(1));
    EXPECT_EQ(keys[0].messages, 3U);
    EXPECT_EQ(keys[0].attempts, 1);
    EXPECT_EQ(keys[0].reason, "later");
    EXPECT_TRUE(keys[0].held);
    EXPECT_GT(keys[0].since.time_since_epoch().count(), 1'600'000'000'000'000);
    EXPECT_EQ(keys[1].key, "");
    EXPECT_EQ(keys[1].messages, 1U);
    EXPECT_EQ(bed.run(bed.letters().parked("audit", 1)).size(), 1U);
    EXPECT_THAT(error_of([&] { bed.run(bed.letters().parked("adit")); }),
                Pair("not_found", HasSubstr("subscription 'adit'")));
}

TEST_F(ParkedOnDatabase, release_of_what_is_unknown_is_an_error_and_of_what_does_not_wait_nothing) {
    start();
    DeadLetters& letters = bed.letters();

    EXPECT_EQ(release("a"), 0U);
    EXPECT_THAT(error_of([&] { bed.run(letters.release("adit", "orders", "a")); }),
                Pair("not_found", HasSubstr("subscription 'adit'")));
    EXPECT_THAT(error_of([&] { bed.run(letters.release("audit", "order", "a")); }),
                Pair("not_found", HasSubstr("queue 'order'")));
}

TEST_F(ParkedOnDatabase, copies_outlive_the_messages_that_they_were_made_of) {
    start();
    audit.set_aside("1");
    bed.publish("orders", {{"a", "1"}, {"a", "2"}});
    ASSERT_TRUE(bed.drained());
    bed.execute("delete from sluice_message where id < 3");
    audit.accept("1");

    release("a");
    ASSERT_TRUE(nothing_apart());

    EXPECT_THAT(audit.payloads(), ElementsAre("1", "2"));
}

TEST(ParkedMerged, a_batch_handler_s_poison_is_found_and_set_aside_alone) {
    LettersBed bed;
    Script& view = bed.script();
    SubscriptionSettings settings = hasty(std::nullopt);
    settings.set_aside_after = milliseconds(0);
    auto builder = bed.builder();
    builder.queue("orders", lanes(2)).queue("stock", lanes(2));
    builder.batch_merged({"orders", "stock"}, "view", view.batch_handler(), settings);
    bed.start(builder);
    view.retry("4");
    std::vector<std::pair<std::string, std::string>> messages;
    for (int i = 0; i < 10; ++i)
        messages.emplace_back(i % 2 == 0 ? "a" : "b", std::to_string(i));
    bed.publish("stock", messages);

    ASSERT_TRUE(bed.drained());
    EXPECT_THAT(view.payloads_of("a"), ElementsAre("0", "2"));
    EXPECT_THAT(view.payloads_of("b"), ElementsAre("1", "3", "5", "7", "9"));
    bed.publish("orders", {{"a", "another queue's key"}});
    ASSERT_TRUE(bed.drained());
    EXPECT_EQ(view.done.back().payload, "another queue's key");
    view.accept("4");
    ASSERT_TRUE(bed.becomes("select count(*) from sluice_parked", 0));
    EXPECT_THAT(view.payloads_of("a"), ElementsAre("0", "2", "another queue's key", "4", "6", "8"));
}

TEST(ParkedLeased, a_leased_key_waits_with_its_later_messages_while_the_lane_goes_on) {
    LettersBed bed;
    Script& push = bed.script();
    auto builder = bed.builder();
    builder.queue("orders", lanes(1)).leased("orders", "push", push.leased_handler(), {}, hasty(3));
    bed.start(builder);
    push.set_aside("1");
    bed.publish("orders", {{"a", "1"}});
    ASSERT_TRUE(bed.drained());
    bed.publish("orders", {{"a", "2"}, {"b", "3"}, {"a", "4"}});
    ASSERT_TRUE(bed.drained());
    EXPECT_THAT(push.payloads(), ElementsAre("3"));
    push.accept("1");

    EXPECT_EQ(bed.run(bed.letters().release("push", "orders", "a")), 1U);
    ASSERT_TRUE(bed.becomes("select count(*) from sluice_parked", 0));

    EXPECT_THAT(push.payloads_of("a"), ElementsAre("1", "2", "4"));
}

TEST(ParkedLeased, a_held_message_ends_what_a_lease_hands_out) {
    LettersBed bed;
    Script& push = bed.script();
    auto builder = bed.builder();
    builder.queue("orders", lanes(1));
    builder.leased("orders", "push", push.leased_handler(), {}, hasty(1, PoisonPolicy::park_key));
    bed.start(builder);
    push.reject("1");
    push.retry("2");
    bed.publish("orders", {{"a", "1"}});
    ASSERT_TRUE(bed.becomes("select count(*) from sluice_dead_letter", 1));
    bed.publish("orders", {{"a", "2"}});
    ASSERT_TRUE(bed.becomes("select count(*) from sluice_parked where held = 1", 1));
    push.accept("1");
    push.accept("2");

    bed.run(bed.letters().replay({}, {}, ReplayPlace::in_order));
    ASSERT_TRUE(bed.becomes("select count(*) from sluice_dead_letter where state = 'resolved'", 1));

    EXPECT_THAT(push.payloads(), ElementsAre("1")) << "2 waits for a person";
    bed.run(bed.letters().release("push", "orders", "a"));
    ASSERT_TRUE(bed.becomes("select count(*) from sluice_parked", 0));
    EXPECT_THAT(push.payloads(), ElementsAre("1", "2"));
}

}  // namespace
}  // namespace sluice::outbox
