// From publish to handler on a real database.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sluice/outbox/error.hpp"
#include "sluice/outbox/internal/test_bed.hpp"

namespace sluice::outbox {
namespace {

using ::testing::ElementsAre;

TEST(Delivery, what_a_unit_published_reaches_the_handler_in_order) {
    Testbed bed;
    Seen seen;
    auto builder = bed.builder();
    builder.queue("orders", lanes(4)).transactional("orders", "audit", seen.handler());
    bed.start(builder);

    bed.publish("orders", {{"a", "1"}, {"a", "2"}, {"a", "3"}});

    ASSERT_TRUE(bed.drained());
    EXPECT_THAT(seen.payloads(), ElementsAre("1", "2", "3"));
    EXPECT_EQ(seen.messages[0].queue, "orders");
    EXPECT_EQ(seen.messages[2].sequence, core::Sequence(3));
    EXPECT_EQ(seen.messages[2].position, core::Position(3));
    EXPECT_GT(seen.messages[0].ledger_epoch.value(), 1'000'000'000'000);
    EXPECT_EQ(bed.number("select sum(seq) from sluice_cursor"), 3);
}

TEST(Delivery, a_merged_subscription_sees_several_queues_in_ledger_order) {
    Testbed bed;
    Seen seen;
    auto builder = bed.builder();
    builder.queue("orders", lanes(4)).queue("stock", lanes(2)).queue("other", lanes(1));
    builder.batch_merged({"stock", "orders"}, "projection", seen.batch_handler());
    bed.start(builder);

    for (int i = 0; i < 50; ++i) {
        const std::string number = std::to_string(i);
        bed.publish("orders", {{"k" + number, "o" + number}});
        bed.publish("other", {{"k" + number, "x"}});
        bed.publish("stock", {{"k" + number, "s" + number}});
    }

    ASSERT_TRUE(bed.drained());
    ASSERT_EQ(seen.messages.size(), 100U);
    for (int i = 0; i < 50; ++i) {
        EXPECT_EQ(seen.messages[2 * static_cast<std::size_t>(i)].payload, "o" + std::to_string(i));
        EXPECT_EQ(seen.messages[2 * static_cast<std::size_t>(i) + 1].payload, "s" + std::to_string(i));
    }
    std::int64_t at = 0;
    for (const Batch& batch : seen.batches) {
        EXPECT_GE(batch.after, at);
        EXPECT_GE(batch.up_to, batch.messages.back().position.value());
        at = batch.up_to;
    }
}

TEST(Delivery, a_restart_goes_on_where_the_cursor_stands) {
    Testbed bed;
    Seen before;
    auto first = bed.builder();
    first.queue("orders", lanes(4)).transactional("orders", "audit", before.handler());
    bed.start(first);
    bed.publish("orders", {{"a", "1"}, {"b", "2"}});
    ASSERT_TRUE(bed.drained());
    bed.stop();
    bed.publish("orders", {{"a", "3"}, {"b", "4"}});

    Seen after;
    auto second = bed.builder();
    second.queue("orders", lanes(4)).transactional("orders", "audit", after.handler());
    bed.start(second);

    ASSERT_TRUE(bed.drained());
    EXPECT_THAT(after.payloads_of("a"), ElementsAre("3"));
    EXPECT_THAT(after.payloads_of("b"), ElementsAre("4"));
}

}  // namespace
}  // namespace sluice::outbox
