// What the log makes of what producers wrote, on a real database: numbers without gaps, ticks, rows of others.
#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sluice/db/error.hpp"
#include "sluice/outbox/internal/queue_numbers.hpp"
#include "sluice/outbox/internal/test_publishing.hpp"

namespace sluice::outbox {
namespace {

using ::testing::ElementsAre;

TEST(PublishedOnDatabase, rows_of_another_connection_are_found_and_numbered) {
    Publishing test;
    const auto other = test.bed.open();  // no outbox knows of its units

    test.bed.run(Testbed::execute_on(
        *other,
        "insert into sluice_message(queue, \"key\", type, payload) values (1, 'k', 'Noted', 'from the shell')"));

    EXPECT_TRUE(Watch(test.bed).until([&] { return !test.seen.messages.empty(); }));
    EXPECT_THAT(test.delivered(), ElementsAre("from the shell"));
}

TEST(PublishedOnDatabase, a_row_of_another_connection_is_numbered_before_what_follows_it) {
    Publishing test;
    const auto other = test.bed.open();

    test.bed.run(Testbed::execute_on(
        *other, "insert into sluice_message(queue, \"key\", type, payload) values (1, 'k', 'Noted', 'first')"));
    test.bed.publish("orders", {{"k", "second"}});

    EXPECT_THAT(test.delivered(), ElementsAre("first", "second"));
}

db::Task<void> publish_many(Testbed& bed, std::string key, int count) {
    for (int i = 0; i < count; ++i) {
        std::vector<std::pair<std::string, std::string>> one{{key, std::to_string(i)}};
        const auto body = [&one](db::UnitOfWork& unit) { return Testbed::publish_in(unit, "orders", one); };
        co_await bed.database->transaction({}, body);
    }
}

db::Task<void> publish_at_once(Testbed& bed, int producers, int count) {
    runtime::TaskScope scope(bed.shard, core::Logger());
    for (int i = 0; i < producers; ++i)
        scope.spawn("producer", publish_many(bed, "key-" + std::to_string(i), count));
    co_await scope.join();
    EXPECT_EQ(scope.failed(), 0U);
}

TEST(PublishedOnDatabase, units_that_commit_together_share_a_tick) {
    Publishing test(4);

    test.bed.run(publish_at_once(test.bed, 16, 20));

    ASSERT_EQ(test.delivered().size(), 320U);
    for (int i = 0; i < 16; ++i) {
        const std::vector<std::string> payloads = test.seen.payloads_of("key-" + std::to_string(i));
        ASSERT_EQ(payloads.size(), 20U);
        for (int n = 0; n < 20; ++n)
            EXPECT_EQ(payloads[static_cast<std::size_t>(n)], std::to_string(n));
    }
    EXPECT_LT(test.bed.number("select count(*) from sluice_tick"), 320) << "every unit had a tick of its own";
    EXPECT_EQ(test.bed.number("select sum(messages) from sluice_tick"), 320);
    EXPECT_EQ(test.bed.number("select max(first_position + messages) from sluice_tick"), 321);
}

db::Task<void> conflict_beside(Testbed& bed) {
    const auto bad = [](db::UnitOfWork& unit) { return order_and_unknown_queue(unit); };
    runtime::TaskScope scope(bed.shard, core::Logger());
    for (int i = 0; i < 8; ++i)
        scope.spawn("producer", publish_many(bed, "key-" + std::to_string(i), 10));
    std::size_t failures = 0;
    for (int i = 0; i < 20; ++i) {
        try {
            co_await bed.database->transaction({}, bad);
        } catch (const db::Error&) {
            ++failures;
        }
    }
    co_await scope.join();
    EXPECT_EQ(failures, 20U);
    EXPECT_EQ(scope.failed(), 0U);
}

TEST(PublishedOnDatabase, units_that_fail_beside_others_leave_no_gap_in_any_lane) {
    Publishing test(2);
    test.bed.execute("create table business(id bigint primary key)");

    test.bed.run(conflict_beside(test.bed));

    ASSERT_EQ(test.delivered().size(), 80U);
    std::map<core::LaneId, std::int64_t> last;
    for (const Message& message : test.seen.messages)
        EXPECT_EQ(message.sequence.value(), ++last[message.lane]);
    EXPECT_EQ(test.bed.number("select sum(messages) from sluice_tick"), 80);
    EXPECT_EQ(test.bed.number("select count(*) from business"), 0);
}

/// Starts an outbox with these settings and publishes 25 messages of 100 bytes in one unit.
void publish_in_small_ticks(Testbed& bed, Seen& seen, Settings settings) {
    settings.processors = 2;
    auto builder = bed.builder();
    builder.profile(runtime::Profile::low_latency()).settings(settings);
    builder.queue("orders", lanes(2)).transactional("orders", "audit", seen.handler());
    bed.start(builder);
    std::vector<std::pair<std::string, std::string>> unit;
    for (int i = 0; i < 25; ++i)
        unit.emplace_back(i % 2 == 0 ? "a" : "b", std::to_string(100 + i) + std::string(97, '.'));
    bed.publish("orders", unit);
    ASSERT_TRUE(Watch(bed).until([&] { return seen.messages.size() >= 25; }));
    ASSERT_TRUE(bed.drained());
    ASSERT_EQ(seen.messages.size(), 25U);
    for (const char* const key : {"a", "b"}) {
        const std::vector<std::string> payloads = seen.payloads_of(key);
        EXPECT_TRUE(std::ranges::is_sorted(payloads));
    }
    EXPECT_EQ(bed.number("select max(first_position + messages) from sluice_tick"), 26);
}

TEST(PublishedOnDatabase, a_unit_larger_than_a_tick_is_numbered_in_several) {
    Testbed bed;
    Seen seen;
    Settings settings;
    settings.tick_messages = 10;

    publish_in_small_ticks(bed, seen, settings);

    EXPECT_EQ(bed.number("select count(*) from sluice_tick"), 3);
    EXPECT_EQ(bed.number("select max(messages) from sluice_tick"), 10);
}

TEST(PublishedOnDatabase, what_exceeds_the_hand_over_in_memory_is_read_back) {
    Testbed bed;
    Seen seen;
    Settings settings;
    settings.tick_bytes = 300;
    settings.backlog_chunk = 4;

    publish_in_small_ticks(bed, seen, settings);

    EXPECT_EQ(bed.number("select count(*) from sluice_tick"), 1);
}

TEST(PublishedOnDatabase, what_was_committed_while_nobody_ran_is_delivered_at_the_start) {
    Publishing test;
    test.bed.stop();
    test.bed.publish("orders", {{"k", "1"}});
    test.bed.publish("orders", {{"k", "2"}});
    EXPECT_EQ(test.bed.number("select count(*) from sluice_tick"), 0);

    auto builder = test.bed.builder();
    builder.queue("orders", lanes(1)).transactional("orders", "audit", test.seen.handler());
    test.bed.start(builder);

    EXPECT_THAT(test.delivered(), ElementsAre("1", "2"));
}

TEST(PublishedOnDatabase, the_number_of_a_queue_is_kept_by_a_unit_that_committed_and_by_no_other) {
    Publishing test;
    test.bed.execute("create table business(id bigint primary key)");
    const auto numbers = test.bed.database->companions()->get<QueueNumbers>();

    EXPECT_THROW(test.bed.run(test.bed.database->transaction({}, order_and_unknown_queue)), db::Error);
    EXPECT_EQ(numbers->find("orders"), std::nullopt);
    test.bed.publish("orders", {{"k", "looked up"}});
    EXPECT_EQ(numbers->find("orders"), 1);
    test.bed.publish("orders", {{"k", "known"}});

    EXPECT_THAT(test.delivered(), ElementsAre("looked up", "known"));
    EXPECT_EQ(numbers->find("nowhere"), std::nullopt);
}

}  // namespace
}  // namespace sluice::outbox
