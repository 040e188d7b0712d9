// What a start refuses, by name, before it touches the database.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sluice/outbox/internal/test_handlers.hpp"

namespace sluice::outbox {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;

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

}  // namespace
}  // namespace sluice::outbox
