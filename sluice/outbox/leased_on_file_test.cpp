// Handlers outside any transaction, on a real file: leases, acknowledgements by message, what is handed back.
#include <algorithm>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sluice/outbox/internal/test_handlers.hpp"

namespace sluice::outbox {
namespace {

using std::chrono::milliseconds;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Gt;
using ::testing::IsEmpty;
using ::testing::Le;
using ::testing::UnorderedElementsAre;

/// One queue with one leased subscription "mail".
struct Leased {
    explicit Leased(std::uint16_t count = 1, Testbed::Adjust adjust = {}) : bed(std::move(adjust)), lanes_(count) {
        bed.execute("create table taken(n integer primary key, up_to integer)");
    }
    ~Leased() { bed.stop(); }
    Leased(const Leased&) = delete;
    Leased& operator=(const Leased&) = delete;

    void start(LeaseSettings lease = {}, SubscriptionSettings subscription = patient()) {
        start_with(leases.handler(), lease, std::move(subscription));
    }
    void start_with(LeasedHandler handler, LeaseSettings lease = {}, SubscriptionSettings subscription = patient()) {
        auto builder = bed.builder();
        builder.profile(runtime::Profile::low_latency()).settings(settings).queue("orders", lanes(lanes_));
        builder.leased("orders", "mail", std::move(handler), lease, std::move(subscription));
        bed.start(builder);
    }
    /// A start and a stop, so that the cursor is there; then `taken` gets a row for every lease taken or renewed.
    void declare() {
        start();
        bed.stop();
        bed.execute(
            "create trigger lease_taken after update on sluice_cursor when new.lease_until is not null begin"
            " insert into taken(up_to) values (new.lease_up_to); end");
    }
    void publish(int from, int to) {
        std::vector<std::pair<std::string, std::string>> all;
        for (int i = from; i <= to; ++i)
            all.emplace_back("key-" + std::to_string(i), std::to_string(i));
        bed.publish("orders", all);
    }
    std::int64_t cursor() { return bed.number("select sum(seq) from sluice_cursor"); }

    Testbed bed;
    Leases leases{bed};
    Settings settings;

private:
    std::uint16_t lanes_;
};

LeaseSettings lease_of(milliseconds duration, milliseconds headroom) {
    return {duration, headroom};
}

TEST(LeasedOnFile, what_was_settled_is_acknowledged_and_not_delivered_again) {
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

TEST(LeasedOnFile, a_lease_stands_in_the_cursor_while_the_handler_has_the_batch) {
    Leased test;
    Gate gate(test.bed.shard);
    test.leases.gate = &gate;
    test.start();
    test.publish(1, 3);
    EXPECT_TRUE(test.leases.watch.until([&] { return gate.waiting() == 1; }));

    EXPECT_EQ(test.bed.number("select lease_up_to from sluice_cursor"), 3);
    EXPECT_EQ(test.bed.number("select lease_until > unixepoch() * 1000000 from sluice_cursor"), 1);
    gate.open();

    EXPECT_TRUE(test.bed.drained());
    EXPECT_EQ(test.bed.number("select count(*) from sluice_cursor where lease_until is null and lease_up_to is null"),
              1);
}

TEST(LeasedOnFile, a_lease_is_renewed_while_messages_are_settled) {
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

TEST(LeasedOnFile, a_lease_that_cannot_be_renewed_for_a_while_costs_no_message_a_try) {
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

TEST(LeasedOnFile, a_handler_that_settles_nothing_is_cancelled_at_its_deadline) {
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

TEST(LeasedOnFile, what_was_settled_before_the_deadline_stays_settled) {
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

TEST(LeasedOnFile, acknowledgements_name_messages) {
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

TEST(LeasedOnFile, the_cursor_waits_at_the_first_message_that_is_not_done) {
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

TEST(LeasedOnFile, an_idempotency_key_is_the_same_at_every_try_and_no_others) {
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

TEST(LeasedOnFile, what_is_published_behind_a_message_that_waits_comes_after_it) {
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

TEST(LeasedOnFile, an_exception_is_a_failure_of_what_was_not_settled) {
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

TEST(LeasedOnFile, what_is_left_unsettled_comes_again) {
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

TEST(LeasedOnFile, the_last_word_about_a_message_counts) {
    Leased test;
    std::size_t tries = 0;
    test.start_with([&](LeasedBatch& batch) { return change_mind(batch, tries); });

    test.publish(1, 3);

    EXPECT_TRUE(test.bed.drained());
    EXPECT_EQ(tries, 1U);
    EXPECT_EQ(test.bed.number("select count(*) from sluice_attempt"), 0);
    test.bed.stop();
}

TEST(LeasedOnFile, a_batch_in_hand_at_the_stop_deadline_is_handed_back_uncounted) {
    Leased test;
    Gate gate(test.bed.shard);
    test.leases.gate = &gate;
    test.start();
    test.publish(1, 3);
    EXPECT_TRUE(test.leases.watch.until([&] { return gate.waiting() == 1; }));

    test.bed.run(test.bed.outbox->stop(milliseconds(20)));

    EXPECT_EQ(gate.waiting(), 0U);
    EXPECT_EQ(test.bed.number("select count(*) from sluice_attempt"), 0);
    EXPECT_EQ(test.bed.number("select count(*) from sluice_cursor where seq = 0 and lease_up_to is null"), 1);
    test.bed.stop();
    test.leases.gate = nullptr;
    test.leases.tries.clear();
    test.start();
    EXPECT_TRUE(test.bed.drained());
    EXPECT_EQ(test.leases.tries.size(), 3U);
    EXPECT_EQ(test.leases.tries[0].attempts, 0);
}

db::Task<void> settle_first_and_wait(LeasedBatch& batch, Leases& leases, Gate& gate) {
    batch.settle(0, Outcome::ok());
    leases.watch.ring();
    co_await gate.pass();
}

TEST(LeasedOnFile, what_was_settled_before_the_stop_deadline_is_acknowledged) {
    Leased test;
    Gate gate(test.bed.shard);
    test.start_with([&](LeasedBatch& batch) { return settle_first_and_wait(batch, test.leases, gate); });
    test.publish(1, 3);
    EXPECT_TRUE(test.leases.watch.until([&] { return gate.waiting() == 1; }));

    test.bed.run(test.bed.outbox->stop(milliseconds(20)));

    EXPECT_EQ(test.cursor(), 1);
    EXPECT_EQ(test.bed.number("select count(*) from sluice_attempt"), 0);
    test.bed.stop();
}

db::Task<void> open_gate(Gate& gate) {
    gate.open();
    co_return;
}
/// Tasks begin in their order: the workers know of the stop when the handlers go on.
db::Task<void> stop_and_open(Outbox& outbox, Gate& gate, runtime::Shard& shard) {
    runtime::TaskScope scope(shard, core::Logger());
    scope.spawn("stop", outbox.stop(kPatience));
    scope.spawn("open", open_gate(gate));
    co_await scope.join();
}

TEST(LeasedOnFile, batches_that_end_while_the_outbox_stops_are_all_acknowledged) {
    Leased test(16);
    test.settings.processors = 16;
    Gate gate(test.bed.shard);
    test.leases.gate = &gate;
    test.start();
    test.publish(1, 200);
    EXPECT_TRUE(test.leases.watch.until([&] { return gate.waiting() == 16; }));
    const std::size_t in_hand = test.leases.tries.size();

    test.bed.run(stop_and_open(*test.bed.outbox, gate, test.bed.shard));

    EXPECT_EQ(test.cursor(), static_cast<std::int64_t>(in_hand));
    EXPECT_EQ(test.leases.settled.size(), in_hand);
    test.bed.stop();
}

TEST(LeasedOnFile, acknowledgements_that_wait_for_their_turn_are_made_at_the_stop) {
    Leased test(16);
    test.settings.processors = 16;
    test.settings.ack_interval = milliseconds(500);
    Gate gate(test.bed.shard);
    test.leases.gate = &gate;
    test.start();
    test.publish(1, 200);
    EXPECT_TRUE(test.leases.watch.until([&] { return gate.waiting() == 16; }));
    gate.open();
    EXPECT_TRUE(test.leases.watch.until([&] { return gate.waiting() == 0; }));
    const std::size_t in_hand = test.leases.settled.size();
    const auto begun = std::chrono::steady_clock::now();

    test.bed.run(test.bed.outbox->stop(kPatience));

    EXPECT_LT(std::chrono::steady_clock::now() - begun, milliseconds(900)) << "they waited for a worker that is gone";
    EXPECT_GE(test.cursor(), static_cast<std::int64_t>(in_hand));
    EXPECT_EQ(test.cursor(), static_cast<std::int64_t>(test.leases.settled.size()));
    test.bed.stop();
}

TEST(LeasedOnFile, acknowledgements_of_many_lanes_are_committed_together) {
    Leased test(16);
    test.settings.processors = 16;
    test.settings.ack_interval = milliseconds(50);
    Gate gate(test.bed.shard);
    test.leases.gate = &gate;
    test.start();
    test.publish(1, 100);
    EXPECT_TRUE(test.leases.watch.until([&] { return gate.waiting() == 16; }));
    const auto committed = [&] {
        return test.bed.metrics
            .counter("sluice_db_units_total", "Units of work by how they ended",
                     {{"source", "shop"}, {"outcome", "committed"}})
            .value();
    };
    const double before = committed();

    gate.open();

    EXPECT_TRUE(test.bed.drained());
    EXPECT_GT(committed(), before);
    EXPECT_LE(committed() - before, 6) << "16 lanes acknowledged one by one";
    test.bed.stop();
}

TEST(LeasedOnFile, a_crash_with_one_message_in_hand_is_a_failure_of_it) {
    Leased test;
    test.declare();
    test.publish(1, 2);
    test.bed.execute("update sluice_cursor set lease_up_to = 1, lease_until = 1");

    test.start();

    ASSERT_TRUE(test.bed.drained());
    ASSERT_FALSE(test.leases.tries.empty());
    EXPECT_EQ(test.leases.tries[0].payload, "1");
    EXPECT_EQ(test.leases.tries[0].attempts, 1);
    EXPECT_EQ(test.leases.sizes[0], 1U) << "its neighbour was tried with it";
}

TEST(LeasedOnFile, a_crash_with_several_messages_in_hand_begins_with_half_of_them) {
    Leased test;
    test.declare();
    test.publish(1, 16);
    test.bed.execute("update sluice_cursor set lease_up_to = 16, lease_until = 1");

    test.start();

    ASSERT_TRUE(test.bed.drained());
    EXPECT_EQ(test.leases.sizes[0], 8U);
    EXPECT_EQ(test.leases.tries[0].attempts, 0);
    EXPECT_EQ(test.leases.tries.size(), 16U);
}

TEST(LeasedOnFile, a_message_whose_tries_ended_the_process_too_often_is_not_tried_again) {
    Leased test;
    test.declare();
    test.publish(1, 2);
    test.bed.execute("update sluice_cursor set lease_up_to = 1, lease_until = 1");
    SubscriptionSettings settings = patient();
    settings.max_attempts = 1;

    test.start({}, settings);

    ASSERT_TRUE(test.bed.drained());
    EXPECT_THAT(test.leases.settled, ElementsAre("2"));
    EXPECT_EQ(test.bed.number("select count(*) from sluice_dead_letter where payload = '1'"
                              " and reason like '%ended the process%'"),
              1);
}

TEST(LeasedOnFile, a_key_that_fails_is_set_aside_and_comes_back_in_its_order) {
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

TEST(LeasedOnFile, a_batch_shrinks_to_the_message_at_fault_and_grows_again) {
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
