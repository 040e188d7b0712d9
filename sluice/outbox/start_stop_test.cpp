// What a start refuses, what it enters in the database, and how an outbox ends.
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

db::Task<Outcome> ignore(db::UnitOfWork&, const Message&) {
    co_return Outcome::ok();
}
db::Task<void> ignore_batch(LeasedBatch& batch) {
    for (std::size_t i = 0; i < batch.messages().size(); ++i)
        batch.settle(i, Outcome::ok());
    co_return;
}

/// A database without any table: whoever asks the database anything gets another error than one about settings.
struct Bare {
    Bare() { database = base.open("bare", metrics); }
    ~Bare() { runtime::run_task(shard, database->close()); }
    Bare(const Bare&) = delete;
    Bare& operator=(const Bare&) = delete;

    [[nodiscard]] Outbox::Builder builder() { return Outbox::builder(database, shard, core::Logger(), metrics); }
    /// What a start says; it must be of kind `config`.
    std::string refusal(Outbox::Builder& builder) {
        try {
            runtime::run_task(shard, builder.start());
        } catch (const Error& e) {
            EXPECT_EQ(e.kind(), ErrorKind::config) << e.what();
            return e.what();
        }
        return "it started";
    }
    std::string refusal_of_queue(std::string name, std::uint16_t count, QueueSettings settings = {}) {
        auto made = builder();
        made.queue(std::move(name), lanes(count), settings);
        return refusal(made);
    }
    std::string refusal_of(const SubscriptionSettings& settings) {
        auto made = builder();
        made.queue("orders", lanes(1)).transactional("orders", "audit", ignore, settings);
        return refusal(made);
    }
    std::string refusal_of(const LeaseSettings& settings) {
        auto made = builder();
        made.queue("orders", lanes(1)).leased("orders", "mail", ignore_batch, settings);
        return refusal(made);
    }
    std::string refusal_of(Settings settings) {
        auto made = builder();
        made.settings(std::move(settings)).queue("orders", lanes(1));
        return refusal(made);
    }

    testing::TestDatabase base;
    core::Metrics metrics;
    runtime::Shard shard{0, core::real_clock()};
    std::shared_ptr<db::DataSource> database;
};

TEST(StartRefuses, names_outside_their_grammar) {
    Bare bare;

    for (const std::string name : {"", "-orders", "orders.", "or ders", "a/b"})
        EXPECT_THAT(bare.refusal_of_queue(name, 1), AllOf(HasSubstr("queue"), HasSubstr("[A-Za-z0-9._-]"))) << name;
    EXPECT_THAT(bare.refusal_of_queue(std::string(256, 'a'), 1), HasSubstr("255"));
    auto builder = bare.builder();
    builder.queue("orders", lanes(1)).transactional("orders", "no good", ignore);
    EXPECT_THAT(bare.refusal(builder), HasSubstr("subscription 'no good'"));
}

TEST(StartRefuses, lanes_that_are_no_power_of_two_from_1_to_4096) {
    Bare bare;

    for (const int count : {0, 3, 12, 8'192, 65'535})
        EXPECT_THAT(bare.refusal_of_queue("orders", static_cast<std::uint16_t>(count)),
                    AllOf(HasSubstr("queue 'orders' has " + std::to_string(count) + " lanes"), HasSubstr("4096")));
}

TEST(StartRefuses, the_same_name_twice) {
    Bare bare;
    auto queues = bare.builder();
    queues.queue("orders", lanes(1)).queue("orders", lanes(1));
    auto subscriptions = bare.builder();
    subscriptions.queue("orders", lanes(1)).transactional("orders", "audit", ignore);
    subscriptions.transactional("orders", "audit", ignore);
    auto merged = bare.builder();
    merged.queue("orders", lanes(1)).batch_merged({"orders", "orders"}, "audit", Seen().batch_handler());

    EXPECT_THAT(bare.refusal(queues), HasSubstr("queue 'orders' is declared twice"));
    EXPECT_THAT(bare.refusal(subscriptions), HasSubstr("subscription 'audit' is declared twice"));
    EXPECT_THAT(bare.refusal(merged), HasSubstr("queue 'orders' is named twice"));
}

TEST(StartRefuses, a_subscription_of_no_queue_or_an_unknown_one) {
    Bare bare;
    auto unknown = bare.builder();
    unknown.queue("orders", lanes(1)).queue("stock", lanes(1)).transactional("order", "audit", ignore);
    auto none = bare.builder();
    none.batch_merged({}, "audit", Seen().batch_handler());

    EXPECT_THAT(bare.refusal(unknown), HasSubstr("queue 'order' is not declared; there are: orders, stock"));
    EXPECT_THAT(bare.refusal(none), HasSubstr("names no queue"));
}

TEST(StartRefuses, an_empty_handler) {
    Bare bare;
    auto builder = bare.builder();
    builder.queue("orders", lanes(1)).transactional("orders", "audit", TransactionalHandler());

    EXPECT_THAT(bare.refusal(builder), HasSubstr("subscription 'audit': the handler is empty"));
}

TEST(StartRefuses, counts_that_are_zero) {
    Bare bare;
    Settings processors;
    processors.processors = 0;
    Settings messages;
    messages.tick_messages = 0;
    Settings bytes;
    bytes.tick_bytes = 0;
    Settings chunk;
    chunk.backlog_chunk = 0;

    EXPECT_THAT(bare.refusal_of(processors), HasSubstr("processors is 0"));
    EXPECT_THAT(bare.refusal_of(messages), HasSubstr("tick_messages is 0"));
    EXPECT_THAT(bare.refusal_of(bytes), HasSubstr("tick_bytes is 0"));
    EXPECT_THAT(bare.refusal_of(chunk), HasSubstr("backlog_chunk is 0"));
}

TEST(StartRefuses, times_that_are_negative) {
    Bare bare;
    Settings acks;
    acks.ack_interval = milliseconds(-1);
    Settings statistics;
    statistics.statistics_interval = milliseconds(-1);
    QueueSettings retention;
    retention.retention = std::chrono::seconds(-1);

    EXPECT_THAT(bare.refusal_of(acks), HasSubstr("ack_interval is -1 ms"));
    EXPECT_THAT(bare.refusal_of(statistics), HasSubstr("statistics_interval is -1 ms"));
    EXPECT_THAT(bare.refusal_of_queue("orders", 1, retention), HasSubstr("retention is -1 s"));
}

TEST(StartRefuses, tunings_of_workers_by_worker_and_setting) {
    Bare bare;
    Settings batch;
    batch.processor.batch = 0;
    Settings interval;
    interval.sequencer.min_interval = std::chrono::seconds(2);
    interval.sequencer.active_interval = std::chrono::seconds(1);
    Settings retry;
    retry.retention.retry_base = std::chrono::seconds(2);
    retry.retention.retry_max = std::chrono::seconds(1);
    Settings idle;
    idle.reconciler.idle_interval = std::chrono::seconds(0);

    EXPECT_THAT(bare.refusal_of(batch), HasSubstr("processor.batch"));
    EXPECT_THAT(bare.refusal_of(interval), HasSubstr("sequencer.min_interval"));
    EXPECT_THAT(bare.refusal_of(retry), HasSubstr("retention.retry_base"));
    EXPECT_THAT(bare.refusal_of(idle), HasSubstr("reconciler.idle_interval"));
}

TEST(StartRefuses, settings_of_a_subscription_by_name) {
    Bare bare;
    SubscriptionSettings batch;
    batch.batch = 0;
    SubscriptionSettings base;
    base.retry.base = milliseconds(0);
    SubscriptionSettings range;
    range.retry = {milliseconds(20), milliseconds(10)};
    SubscriptionSettings attempts;
    attempts.max_attempts = 0;
    SubscriptionSettings aside;
    aside.set_aside_after = milliseconds(-1);
    SubscriptionSettings keys;
    keys.parked_keys = 0;

    EXPECT_THAT(bare.refusal_of(batch), HasSubstr("subscription 'audit': batch is 0"));
    EXPECT_THAT(bare.refusal_of(base), HasSubstr("retry.base is 0 ms"));
    EXPECT_THAT(bare.refusal_of(range), HasSubstr("retry.base of 20 ms exceeds retry.max of 10 ms"));
    EXPECT_THAT(bare.refusal_of(attempts), HasSubstr("max_attempts is 0"));
    EXPECT_THAT(bare.refusal_of(aside), HasSubstr("set_aside_after is -1 ms"));
    EXPECT_THAT(bare.refusal_of(keys), HasSubstr("parked_keys is 0"));
}

TEST(StartRefuses, pauses_of_a_subscription_that_contradict_its_profile) {
    Bare bare;
    SubscriptionSettings base;
    base.retry.base = std::chrono::hours(1);  // the profile's longest pause is shorter
    SubscriptionSettings most;
    most.retry.max = milliseconds(1);  // the profile's shortest pause is longer

    EXPECT_THAT(bare.refusal_of(base), HasSubstr("retry.base"));
    EXPECT_THAT(bare.refusal_of(most), HasSubstr("retry.max"));
}

TEST(StartRefuses, a_lease_without_time_for_the_handler) {
    Bare bare;

    EXPECT_THAT(bare.refusal_of(LeaseSettings{milliseconds(100), milliseconds(100)}),
                HasSubstr("lease.headroom of 100 ms leaves nothing of lease.duration of 100 ms"));
    EXPECT_THAT(bare.refusal_of(LeaseSettings{milliseconds(100), milliseconds(-1)}),
                HasSubstr("lease.headroom is -1 ms"));
}

TEST(StartRefuses, a_database_without_its_tables) {
    Bare bare;
    auto builder = bare.builder();
    builder.queue("orders", lanes(1));

    EXPECT_THAT(bare.refusal(builder), HasSubstr("outbox::migrations()"));
}

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
        co_await unit.execute("insert into effect(key, payload) values ($1, $2)", message.key, message.payload);
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

db::Task<void> open_the_gate(Gate& gate) {
    gate.open();
    co_return;
}
/// Tasks begin in their order, so the gate opens when the stop has begun.
db::Task<void> stop_then_open(HeldOutbox& test) {
    runtime::TaskScope scope(test.bed.shard, core::Logger());
    scope.spawn("stop", test.bed.outbox->stop(kPatience));
    scope.spawn("open", open_the_gate(test.gate));
    co_await scope.join();
}

TEST(StartStop, a_batch_in_hand_finishes_before_the_stop_returns) {
    HeldOutbox test;

    test.bed.run(stop_then_open(test));

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
