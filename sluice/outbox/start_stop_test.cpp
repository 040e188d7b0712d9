// What a start enters in the database, and how an outbox ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sluice/outbox/internal/test_handlers.hpp"

namespace sluice::outbox {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Started {
    ~Started() { bed.stop(); }

    void start(std::uint16_t count, QueueSettings settings = {}) {
        auto builder = bed.builder();
        builder.profile(runtime::Profile::low_latency()).queue("orders", lanes(count), settings);
        builder.transactional("orders", "audit", effects.handler(), patient());
        bed.start(builder);
    }

    Testbed bed;
    Effects effects{bed};
};

TEST(StartStop, another_lane_count_is_an_error_with_both_numbers_and_changes_nothing) {
    Started test;
    test.start(4);
    test.bed.stop();

    const std::string failure = failure_text([&] { test.start(8); });

    EXPECT_THAT(failure, AllOf(HasSubstr("config"), HasSubstr("with 4 lanes"), HasSubstr("with 8")));
    EXPECT_EQ(test.bed.number("select lanes from sluice_queue"), 4);
    EXPECT_EQ(test.bed.number("select count(*) from sluice_cursor"), 4);
    test.start(4);
    test.bed.publish("orders", {{"k", "1"}});
    EXPECT_TRUE(test.bed.drained()) << "a start that failed left something behind";
}

TEST(StartStop, the_same_start_again_enters_nothing_new) {
    Started test;
    for (int i = 0; i < 3; ++i) {
        test.start(4);
        test.bed.stop();
    }

    EXPECT_EQ(test.bed.number("select count(*) from sluice_queue"), 1);
    EXPECT_EQ(test.bed.number("select count(*) from sluice_subscription"), 1);
    EXPECT_EQ(test.bed.number("select count(*) from sluice_cursor"), 4);
    EXPECT_EQ(test.bed.number("select max(epoch) from sluice_cursor"), 3) << "every start is an owner of its own";
}

TEST(StartStop, settings_of_a_known_queue_follow_the_declaration) {
    Started test;
    test.start(1);
    test.bed.stop();
    QueueSettings other;
    other.ordering = Ordering::strict;
    other.retention = std::nullopt;

    test.start(1, other);

    EXPECT_EQ(test.bed.number("select count(*) from sluice_queue where ordering = 'strict' and retention_s is null"),
              1);
}

TEST(StartStop, a_subscription_keeps_its_queues) {
    Started test;
    test.start(1);
    test.bed.stop();
    auto builder = test.bed.builder();
    builder.queue("orders", lanes(1)).queue("stock", lanes(1)).transactional("stock", "audit", ignore);

    const std::string failure = failure_text([&] { test.bed.start(builder); });

    EXPECT_THAT(failure, AllOf(HasSubstr("subscription 'audit'"), HasSubstr("orders"), HasSubstr("stock")));
}

TEST(StartStop, a_subscription_that_is_left_out_keeps_its_cursor) {
    Started test;
    test.start(1);
    test.bed.publish("orders", {{"k", "1"}});
    ASSERT_TRUE(test.bed.drained());
    test.bed.stop();
    auto without = test.bed.builder();
    without.queue("orders", lanes(1));
    test.bed.start(without);
    test.bed.publish("orders", {{"k", "2"}});
    test.bed.stop();

    test.start(1);

    ASSERT_TRUE(test.bed.drained());
    EXPECT_THAT(test.effects.committed(), ElementsAre("1", "2"));
}

TEST(StartStop, an_outbox_without_queues_starts_and_stops) {
    Testbed bed;
    auto builder = bed.builder();
    bed.start(builder);

    EXPECT_TRUE(bed.drained());
    bed.stop();

    EXPECT_EQ(bed.number("select count(*) from sluice_queue"), 0);
}

TEST(StartStop, stop_twice_is_harmless) {
    Started test;
    test.start(1);

    test.bed.run(test.bed.outbox->stop(milliseconds(100)));
    test.bed.run(test.bed.outbox->stop(milliseconds(100)));

    test.bed.publish("orders", {{"k", "1"}});
    EXPECT_EQ(test.bed.number("select count(*) from sluice_tick"), 0) << "something still runs";
}

/// Waits at its gate; says what it is about to do.
struct Held {
    Gate& gate;
    Watch& watch;
    TransactionalHandler handler() {
        return [this](db::UnitOfWork& unit, const Message& message) { return take(unit, message); };
    }
    db::Task<Outcome> take(db::UnitOfWork& unit, const Message& message) {
        watch.ring();
        co_await gate.pass();
        co_await unit.execute("insert into effect(\"key\", payload) values ($1, $2)", message.key, message.payload);
        co_return Outcome::ok();
    }
};

struct HeldOutbox {
    HeldOutbox() {
        auto builder = bed.builder();
        builder.profile(runtime::Profile::low_latency()).queue("orders", lanes(1));
        builder.transactional("orders", "audit", held.handler(), patient());
        bed.start(builder);
        bed.publish("orders", {{"k", "1"}});
        EXPECT_TRUE(effects.watch.until([&] { return gate.waiting() == 1; }));
    }
    ~HeldOutbox() { bed.stop(); }

    Testbed bed;
    Effects effects{bed};
    Gate gate{bed.shard};
    Held held{gate, effects.watch};
};

TEST(StartStop, a_batch_in_hand_finishes_before_the_stop_returns) {
    HeldOutbox test;

    test.bed.run(stop_and_open(*test.bed.outbox, test.gate, test.bed.shard));

    EXPECT_THAT(test.effects.committed(), ElementsAre("1"));
    EXPECT_EQ(test.bed.number("select seq from sluice_cursor"), 1);
}

TEST(StartStop, a_batch_in_hand_at_the_deadline_is_handed_back) {
    HeldOutbox test;

    test.bed.run(test.bed.outbox->stop(milliseconds(20)));

    EXPECT_EQ(test.gate.waiting(), 0U) << "the handler still runs";
    EXPECT_THAT(test.effects.committed(), IsEmpty());
    EXPECT_EQ(test.bed.number("select seq from sluice_cursor"), 0);
    EXPECT_EQ(test.bed.number("select count(*) from sluice_attempt"), 0);
    test.bed.stop();
    auto builder = test.bed.builder();
    builder.queue("orders", lanes(1)).transactional("orders", "audit", test.effects.handler());
    test.bed.start(builder);
    EXPECT_TRUE(test.bed.drained());
    EXPECT_THAT(test.effects.committed(), ElementsAre("1"));
    EXPECT_EQ(test.effects.tries[0].attempts, 0);
}

/// Whether the handler was over when `stop` returned.
db::Task<void> stop_and_look(HeldOutbox& test, std::vector<std::size_t>& waiting) {
    co_await test.bed.outbox->stop(milliseconds(50));
    waiting.push_back(test.gate.waiting());
}
db::Task<void> stop_at_once(HeldOutbox& test, std::vector<std::size_t>& waiting) {
    runtime::TaskScope scope(test.bed.shard, core::Logger());
    scope.spawn("first", stop_and_look(test, waiting));
    scope.spawn("second", stop_and_look(test, waiting));
    co_await scope.join();
}

TEST(StartStop, a_second_stop_returns_no_earlier_than_the_first) {
    HeldOutbox test;
    std::vector<std::size_t> waiting;

    test.bed.run(stop_at_once(test, waiting));

    EXPECT_THAT(waiting, ElementsAre(0U, 0U)) << "a handler ran on while a stop had returned";
}

db::Task<void> wait_drained(Outbox& outbox, std::optional<bool>& answer) {
    answer = co_await outbox.drained(kPatience);
}
db::Task<void> drain_and_stop(HeldOutbox& test, std::optional<bool>& answer) {
    runtime::TaskScope scope(test.bed.shard, core::Logger());
    scope.spawn("drained", wait_drained(*test.bed.outbox, answer));
    scope.spawn("stop", test.bed.outbox->stop(milliseconds(10)));
    co_await scope.join();
}

TEST(StartStop, who_waits_for_the_end_of_the_backlog_is_told_of_the_stop) {
    HeldOutbox test;
    std::optional<bool> answer;
    const auto begun = std::chrono::steady_clock::now();

    test.bed.run(drain_and_stop(test, answer));

    EXPECT_EQ(answer, false);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, kPatience / 2);
}

TEST(StartStop, what_is_published_after_the_stop_waits_for_the_next_start) {
    Started test;
    test.start(2);
    test.bed.run(test.bed.outbox->stop(milliseconds(100)));
    test.bed.publish("orders", {{"k", "1"}});
    EXPECT_EQ(test.bed.number("select count(*) from sluice_tick"), 0);
    test.bed.stop();

    test.start(2);

    ASSERT_TRUE(test.bed.drained());
    EXPECT_THAT(test.effects.committed(), ElementsAre("1"));
}

TEST(StartStop, status_names_every_lane_with_its_cursor_and_head) {
    Started test;
    test.start(4);
    test.bed.publish("orders", {{"a", "1"}, {"a", "2"}});
    ASSERT_TRUE(test.bed.drained());

    const std::vector<CursorStatus> all = test.bed.outbox->status();

    ASSERT_EQ(all.size(), 4U);
    std::int64_t heads = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
        EXPECT_EQ(all[i].subscription, "audit");
        EXPECT_EQ(all[i].queue, "orders");
        EXPECT_EQ(all[i].lane.value(), i);
        EXPECT_EQ(all[i].acknowledged, all[i].head);
        heads += all[i].head;
    }
    EXPECT_EQ(heads, 2);
}

TEST(StartStop, what_the_workers_did_is_said_at_the_stop_and_idleness_is_not) {
    Started test;
    test.start(1);
    test.bed.publish("orders", {{"a", "1"}});
    ASSERT_TRUE(test.bed.drained());
    test.bed.stop();
    const bool told = test.bed.sink->contains("processor");
    test.bed.sink->clear();

    test.start(1);
    test.bed.stop();

    EXPECT_TRUE(told);
    for (const testing::LogLine& line : test.bed.sink->lines())
        EXPECT_LT(line.level, core::LogLevel::warn) << line.text;
}

}  // namespace
}  // namespace sluice::outbox
