// Leased handlers, on a real database: what a stop or a crash leaves of what they had in hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sluice/outbox/internal/test_leased.hpp"

namespace sluice::outbox {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;

TEST(LeasedEndsOnDatabase, a_batch_in_hand_at_the_stop_deadline_is_handed_back_uncounted) {
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

TEST(LeasedEndsOnDatabase, what_was_settled_before_the_stop_deadline_is_acknowledged) {
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

TEST(LeasedEndsOnDatabase, batches_that_end_while_the_outbox_stops_are_all_acknowledged) {
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

TEST(LeasedEndsOnDatabase, acknowledgements_that_wait_for_their_turn_are_made_at_the_stop) {
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

/// Of acknowledgements. SQLite counts its commits; a row of PostgreSQL names the transaction that wrote it, one of
/// MariaDB does not.
double commits(Testbed& bed) {
    if (bed.dialect() == db::Dialect::postgres)
        return static_cast<double>(bed.number("select count(distinct xmin::text) from sluice_cursor where seq > 0"));
    const core::Labels committed{{"source", "shop"}, {"outcome", "committed"}};
    return bed.metrics.counter("sluice_db_units_total", "Units of work by how they ended", committed).value();
}

TEST(LeasedCommitsTogether, acknowledgements_of_many_lanes_are_committed_together) {
    Leased test(16);
    test.settings.processors = 16;
    test.settings.ack_interval = milliseconds(50);
    Gate gate(test.bed.shard);
    test.leases.gate = &gate;
    test.start();
    test.publish(1, 100);
    EXPECT_TRUE(test.leases.watch.until([&] { return gate.waiting() == 16; }));
    const double before = commits(test.bed);

    gate.open();

    EXPECT_TRUE(test.bed.drained());
    EXPECT_GT(commits(test.bed), before);
    EXPECT_LE(commits(test.bed) - before, 6) << "16 lanes acknowledged one by one";
    test.bed.stop();
}

TEST(LeasedEndsOnDatabase, a_crash_with_one_message_in_hand_is_a_failure_of_it) {
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

TEST(LeasedEndsOnDatabase, a_crash_with_several_messages_in_hand_begins_with_half_of_them) {
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

TEST(LeasedEndsOnDatabase, a_message_whose_tries_ended_the_process_too_often_is_not_tried_again) {
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

}  // namespace
}  // namespace sluice::outbox
