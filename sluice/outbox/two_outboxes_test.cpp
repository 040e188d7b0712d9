// Two databases beside each other, and two runtimes on one: what is theirs alone, and who may acknowledge.
#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sluice/outbox/internal/test_handlers.hpp"

namespace sluice::outbox {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

using KeysAndPayloads = std::vector<std::pair<std::string, std::string>>;

/// A second runtime on the bed's database, as another process would be: a database object of its own, its own outbox.
struct OtherRuntime {
    explicit OtherRuntime(Testbed& first) : bed(first), database(first.open()) {}
    ~OtherRuntime() { stop(); }
    OtherRuntime(const OtherRuntime&) = delete;
    OtherRuntime& operator=(const OtherRuntime&) = delete;

    Outbox::Builder builder() {
        auto made = Outbox::builder(database, bed.shard, core::Logger(sink, core::LogLevel::debug), metrics);
        made.profile(runtime::Profile::low_latency());
        return made;
    }
    void start(Outbox::Builder& made) { outbox = bed.run(made.start()); }
    void stop() {
        if (outbox) bed.run(outbox->stop(std::chrono::seconds(5)));
        outbox.reset();
    }
    bool drained() { return bed.run(outbox->drained(kPatience)); }
    void publish(KeysAndPayloads messages) {
        const auto body = [&](db::UnitOfWork& unit) { return Testbed::publish_in(unit, "orders", messages); };
        bed.run(database->transaction({}, body));
    }

    Testbed& bed;
    core::Metrics metrics;
    std::shared_ptr<testing::CapturingSink> sink = std::make_shared<testing::CapturingSink>();
    std::shared_ptr<db::DataSource> database;
    std::unique_ptr<Outbox> outbox;
};

struct OneDatabase {
    ~OneDatabase() {
        other.stop();
        bed.stop();
    }
    /// Queue "orders" of 2 lanes with the subscription "audit" in both runtimes.
    void start_first(TransactionalHandler handler) {
        auto builder = bed.builder();
        builder.profile(runtime::Profile::low_latency()).queue("orders", lanes(2));
        builder.transactional("orders", "audit", std::move(handler), patient());
        bed.start(builder);
    }
    void start_other(TransactionalHandler handler) {
        auto builder = other.builder();
        builder.queue("orders", lanes(2)).transactional("orders", "audit", std::move(handler), patient());
        other.start(builder);
    }

    Testbed bed;
    Effects effects{bed};
    Effects effects_of_other{bed};
    OtherRuntime other{bed};
};

TEST(OneDatabaseTwoRuntimes, the_later_start_takes_the_cursors_and_the_earlier_delivers_no_more) {
    OneDatabase test;
    test.start_first(test.effects.handler());
    test.bed.publish("orders", {{"a", "1"}});
    ASSERT_TRUE(test.bed.drained());

    test.start_other(test.effects_of_other.handler());
    test.bed.publish("orders", {{"a", "2"}, {"b", "3"}});

    EXPECT_EQ(eventually(test.bed, "select count(*) from effect", 3), 3);
    EXPECT_EQ(test.effects_of_other.tries.size(), 2U);
    EXPECT_EQ(test.bed.number("select count(distinct payload) from effect"), 3);
    EXPECT_EQ(test.bed.number("select max(epoch) from sluice_cursor"), 2);
}

TEST(OneDatabaseTwoRuntimes, an_owner_that_was_overtaken_says_so_once) {
    OneDatabase test;
    test.start_first(test.effects.handler());
    test.start_other(test.effects_of_other.handler());

    for (int i = 0; i < 10; ++i)
        test.bed.publish("orders", {{"a", std::to_string(i)}, {"b", std::to_string(i)}});

    EXPECT_EQ(eventually(test.bed, "select count(*) from effect", 20), 20);
    const auto said = [&] {
        return std::ranges::count_if(test.bed.sink->lines(), [](const testing::LogLine& line) {
            return line.level == core::LogLevel::error &&
                   line.text.find("nothing more is delivered") != std::string::npos;
        });
    };
    EXPECT_TRUE(test.effects.watch.until([&] { return said() > 0; }));
    EXPECT_EQ(said(), 1);
    EXPECT_EQ(test.bed.number("select count(*) from effect"), 20);
}

/// Waits at its gate, then writes.
struct SlowEffect {
    Gate& gate;
    Watch& watch;
    std::size_t tries = 0;
    TransactionalHandler handler() {
        return [this](db::UnitOfWork& unit, const Message& message) { return take(unit, message); };
    }
    db::Task<Outcome> take(db::UnitOfWork& unit, const Message& message) {
        ++tries;
        watch.ring();
        co_await gate.pass();
        co_await unit.execute("insert into effect(\"key\", payload) values ($1, 'slow ' || $2)", message.key,
                              message.payload);
        co_return Outcome::ok();
    }
};

TEST(OneDatabaseTwoRuntimes, a_batch_that_an_overtaken_owner_has_in_hand_leaves_nothing) {
    OneDatabase test;
    Gate gate(test.bed.shard);
    SlowEffect slow{gate, test.effects.watch};
    test.start_first(slow.handler());
    test.bed.publish("orders", {{"a", "1"}, {"a", "2"}});
    ASSERT_TRUE(test.effects.watch.until([&] { return gate.waiting() == 1; }));

    test.start_other(test.effects_of_other.handler());
    ASSERT_TRUE(test.other.drained());
    gate.open();
    test.bed.publish("orders", {{"a", "3"}});

    EXPECT_EQ(eventually(test.bed, "select count(*) from effect where payload = '3'", 1), 1);
    test.bed.stop();
    EXPECT_THAT(test.effects.committed(), ElementsAre("1", "2", "3"));
}

TEST(OneDatabaseTwoRuntimes, acknowledgements_of_an_overtaken_lease_are_refused) {
    OneDatabase test;
    Gate gate(test.bed.shard);
    Leases first(test.bed);
    first.gate = &gate;
    Leases second(test.bed);
    auto builder = test.bed.builder();
    builder.profile(runtime::Profile::low_latency()).queue("orders", lanes(1));
    builder.leased("orders", "mail", first.handler(), {}, patient());
    test.bed.start(builder);
    test.bed.publish("orders", {{"a", "1"}, {"b", "2"}});
    EXPECT_TRUE(first.watch.until([&] { return gate.waiting() == 1; }));
    second.answer = [](const Message& message) {
        return message.payload == "2" ? Outcome::retry("the second owner is not done with it") : Outcome::ok();
    };
    auto taking = test.other.builder();
    taking.queue("orders", lanes(1)).leased("orders", "mail", second.handler(), {}, patient());
    test.other.start(taking);
    EXPECT_TRUE(second.watch.until([&] { return second.tries_of("2") >= 1; }));

    gate.open();

    const std::int64_t before = test.bed.number("select seq from sluice_cursor");
    EXPECT_LE(before, 1);
    const auto lost = [&] { return test.bed.sink->contains("nothing more is delivered here"); };
    EXPECT_TRUE(second.watch.until(lost)) << "the first owner does not know";
    EXPECT_EQ(test.bed.number("select seq from sluice_cursor"), 1);
    EXPECT_GE(first.settled.size(), 1U);
    test.bed.stop();
    EXPECT_EQ(test.bed.number("select seq from sluice_cursor"), 1);
    test.other.stop();
}

TEST(OneDatabaseTwoRuntimes, different_subscriptions_do_not_disturb_each_other) {
    OneDatabase test;
    Seen mail;
    test.start_first(test.effects.handler());
    auto builder = test.other.builder();
    builder.queue("orders", lanes(2)).transactional("orders", "mail", mail.handler());
    test.other.start(builder);

    for (int i = 0; i < 20; ++i) {
        test.bed.publish("orders", {{"a", "from one " + std::to_string(i)}});
        test.other.publish({{"b", "from other " + std::to_string(i)}});
    }

    EXPECT_EQ(eventually(test.bed, "select sum(seq) from sluice_cursor where subscription = 'audit'", 40), 40);
    EXPECT_EQ(eventually(test.bed, "select sum(seq) from sluice_cursor where subscription = 'mail'", 40), 40);
    EXPECT_EQ(mail.messages.size(), 40U);
    EXPECT_EQ(test.effects.committed().size(), 40U);
    EXPECT_EQ(test.bed.number("select count(*) from sluice_cursor where epoch <> 1"), 0);
    test.other.stop();
}

db::Task<void> publish_through(db::DataSource& source, std::string key, int count) {
    for (int i = 0; i < count; ++i) {
        KeysAndPayloads one{{key, std::to_string(i)}};
        const auto body = [&one](db::UnitOfWork& unit) { return Testbed::publish_in(unit, "orders", one); };
        db::TransactionOptions options;
        options.retry_serialization = 10;
        co_await source.transaction(options, body);
    }
}
db::Task<void> publish_through_both(OneDatabase& test, int producers, int count) {
    runtime::TaskScope scope(test.bed.shard, test.bed.log());
    for (int i = 0; i < producers; ++i) {
        scope.spawn("one", publish_through(*test.bed.database, "one-" + std::to_string(i), count));
        scope.spawn("other", publish_through(*test.other.database, "other-" + std::to_string(i), count));
    }
    co_await scope.join();
    EXPECT_EQ(scope.failed(), 0U);
}

TEST(OneDatabaseTwoRuntimes, both_number_and_no_number_is_given_twice_or_left_out) {
    OneDatabase test;
    Seen mail;
    test.start_first(test.effects.handler());
    auto builder = test.other.builder();
    builder.queue("orders", lanes(2)).transactional("orders", "mail", mail.handler());
    test.other.start(builder);

    test.bed.run(publish_through_both(test, 3, 25));

    EXPECT_EQ(eventually(test.bed, "select sum(seq) from sluice_cursor where subscription = 'audit'", 150), 150);
    EXPECT_EQ(eventually(test.bed, "select sum(seq) from sluice_cursor where subscription = 'mail'", 150), 150);
    EXPECT_EQ(test.bed.number("select count(*) = max(n) from sluice_tick"), 1);
    EXPECT_EQ(test.bed.number("select sum(messages) = max(first_position + messages) - 1 from sluice_tick"), 1);
    EXPECT_EQ(test.bed.number("select count(*) from sluice_tick a join sluice_tick b on b.n = a.n + 1"
                              " where b.first_position <> a.first_position + a.messages"),
              0);
    EXPECT_EQ(test.bed.number("select count(*) from sluice_message"), 150);
    for (int i = 0; i < 3; ++i) {
        for (const std::string& key : {"one-" + std::to_string(i), "other-" + std::to_string(i)}) {
            std::vector<std::string> expected;
            for (int n = 0; n < 25; ++n)
                expected.push_back(std::to_string(n));
            EXPECT_EQ(test.effects.committed_of(key), expected) << key;
            EXPECT_EQ(mail.payloads_of(key), expected) << key;
        }
    }
    test.other.stop();
}

TEST(OneDatabaseTwoRuntimes, the_earlier_owner_takes_the_cursors_back_by_starting_again) {
    OneDatabase test;
    test.start_first(test.effects.handler());
    test.start_other(test.effects_of_other.handler());
    test.bed.stop();

    test.start_first(test.effects.handler());
    test.bed.publish("orders", {{"a", "1"}});

    ASSERT_TRUE(test.bed.drained());
    EXPECT_EQ(test.effects.tries.size(), 1U);
    EXPECT_EQ(test.bed.number("select max(epoch) from sluice_cursor"), 3);
}

TEST(OneDatabaseTwoRuntimes, a_key_that_was_set_aside_is_not_the_overtaken_owners_any_more) {
    OneDatabase test;
    test.effects.answer = [](const Message&) { return Outcome::retry("the first owner cannot"); };
    SubscriptionSettings settings = patient();
    settings.set_aside_after = milliseconds(0);
    auto builder = test.bed.builder();
    builder.profile(runtime::Profile::low_latency()).queue("orders", lanes(1));
    builder.transactional("orders", "audit", test.effects.handler(), settings);
    test.bed.start(builder);
    test.bed.publish("orders", {{"a", "1"}, {"a", "2"}});
    EXPECT_EQ(eventually(test.bed, "select count(*) from sluice_parked", 2), 2);

    auto taking = test.other.builder();
    taking.queue("orders", lanes(1));
    taking.transactional("orders", "audit", test.effects_of_other.handler(), settings);
    test.other.start(taking);

    EXPECT_EQ(eventually(test.bed, "select count(*) from sluice_parked", 0), 0);
    EXPECT_THAT(test.effects.committed(), ElementsAre("1", "2"));
    test.bed.stop();
    EXPECT_EQ(test.bed.number("select count(*) from effect"), 2);
}

/// Two tenants of one process, both on one shard.
struct TwoTenants {
    TwoTenants() {
        start(a, seen_a);
        start(b, seen_b);
    }
    ~TwoTenants() {
        b.stop();
        a.stop();
    }
    TwoTenants(const TwoTenants&) = delete;
    TwoTenants& operator=(const TwoTenants&) = delete;

    static void start(Testbed& bed, Seen& seen) {
        auto builder = bed.builder();
        builder.queue("orders", lanes(1)).transactional("orders", "audit", seen.handler());
        bed.start(builder);
    }

    Testbed a;
    Testbed b{a.own_shard};
    Seen seen_a;
    Seen seen_b;
};

TEST(TwoDatabases, tenants_beside_each_other_see_their_own_messages_and_numbers) {
    TwoTenants test;

    for (int i = 0; i < 10; ++i) {
        test.a.publish("orders", {{"k", "a" + std::to_string(i)}});
        if (i % 2 == 0) test.b.publish("orders", {{"k", "b" + std::to_string(i)}});
    }

    EXPECT_TRUE(test.a.drained());
    EXPECT_TRUE(test.b.drained());
    EXPECT_EQ(test.seen_a.messages.size(), 10U);
    EXPECT_THAT(test.seen_b.payloads(), ElementsAre("b0", "b2", "b4", "b6", "b8"));
    EXPECT_EQ(test.seen_b.messages.back().sequence, core::Sequence(5));
}

TEST(TwoDatabases, one_tenant_stops_while_the_other_goes_on) {
    TwoTenants test;

    test.b.stop();
    test.a.publish("orders", {{"k", "1"}});

    EXPECT_TRUE(test.a.drained());
    EXPECT_THAT(test.seen_a.payloads(), ElementsAre("1"));
    EXPECT_THAT(test.seen_b.payloads(), IsEmpty());
}

}  // namespace
}  // namespace sluice::outbox
