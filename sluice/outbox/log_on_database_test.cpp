// Reading the log back on a real database: everything in order, or an error that says what is missing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sluice/outbox/internal/test_script.hpp"

namespace sluice::outbox {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

class LogOnDatabase : public ::testing::Test {
protected:
    void start(Settings settings = {}) {
        auto builder = bed.builder();
        builder.settings(settings).queue("orders", lanes(4)).queue("stock", lanes(2));
        builder.transactional("orders", "audit", audit.handler());
        bed.start(builder);
    }
    /// Messages "1" to "count", one tick each, of both queues in turn.
    void publish(int count) {
        for (int i = 0; i < count; ++i) {
            const std::string number = std::to_string(++published);
            bed.publish_alone(published % 2 == 0 ? "stock" : "orders", "k" + number, number);
        }
    }
    [[nodiscard]] std::vector<std::string> read(std::int64_t after, std::int64_t up_to, std::uint32_t limit = 1'000) {
        std::vector<std::string> payloads;
        for (const Message& message :
             bed.run(bed.outbox->read_log(core::Position(after), core::Position(up_to), limit))) {
            payloads.push_back(message.payload);
        }
        return payloads;
    }

    LettersBed bed;
    Script& audit = bed.script();
    int published = 0;
};

TEST_F(LogOnDatabase, has_every_message_of_every_queue_once_in_ledger_order) {
    start();
    publish(200);

    const std::vector<Message> messages = bed.run(bed.outbox->read_log(core::Position(0), core::Position(200), 1'000));

    ASSERT_EQ(messages.size(), 200U);
    for (std::size_t i = 0; i < messages.size(); ++i) {
        EXPECT_EQ(messages[i].payload, std::to_string(i + 1));
        EXPECT_EQ(messages[i].position, core::Position(static_cast<std::int64_t>(i) + 1));
        EXPECT_EQ(messages[i].queue, i % 2 == 0 ? "orders" : "stock");
        EXPECT_EQ(messages[i].ledger_epoch, bed.outbox->ledger_epoch());
    }
}

TEST_F(LogOnDatabase, what_is_read_back_is_what_was_handed_over) {
    start();
    publish(20);
    ASSERT_TRUE(bed.drained());

    const std::vector<Message> log = bed.run(bed.outbox->read_log(core::Position(0), core::Position(20), 100));

    ASSERT_EQ(audit.done.size(), 10U);
    for (const Message& handed : audit.done) {
        const Message& read = log.at(static_cast<std::size_t>(handed.position.value()) - 1);
        EXPECT_EQ(read.id, handed.id);
        EXPECT_EQ(read.lane, handed.lane);
        EXPECT_EQ(read.sequence, handed.sequence);
        EXPECT_EQ(read.payload, handed.payload);
        EXPECT_EQ(read.created_at, handed.created_at);
        EXPECT_EQ(read.idempotency_key(), handed.idempotency_key());
    }
}

TEST_F(LogOnDatabase, a_range_is_without_its_beginning_and_with_its_end) {
    start();
    publish(10);

    EXPECT_THAT(read(3, 6), ElementsAre("4", "5", "6"));
    EXPECT_THAT(read(9, 99), ElementsAre("10"));
    EXPECT_THAT(read(10, 99), IsEmpty());
    EXPECT_THAT(read(5, 5), IsEmpty());
}

TEST_F(LogOnDatabase, a_range_may_begin_and_end_within_a_tick) {
    start();
    bed.publish("orders", {{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}});
    ASSERT_TRUE(bed.drained());

    EXPECT_THAT(read(1, 3), ElementsAre("2", "3"));
}

TEST_F(LogOnDatabase, no_more_is_read_than_the_limit) {
    start();
    publish(10);

    EXPECT_THAT(read(0, 10, 3), ElementsAre("1", "2", "3"));
    EXPECT_THAT(read(3, 10, 3), ElementsAre("4", "5", "6"));
}

TEST_F(LogOnDatabase, stretches_that_are_cut_by_rows_or_by_bytes_join_without_a_seam) {
    Settings settings;
    settings.backlog_chunk = 7;
    settings.tick_bytes = 300;
    start(settings);
    std::vector<std::string> wanted;
    for (int unit = 0; unit < 10; ++unit) {
        std::vector<std::pair<std::string, std::string>> messages;
        for (int i = 0; i < 12; ++i) {
            wanted.push_back(std::to_string(wanted.size()) + std::string(100, 'x'));
            messages.emplace_back("k" + std::to_string(i), wanted.back());
        }
        bed.publish("orders", messages);
    }
    ASSERT_TRUE(bed.drained());

    EXPECT_EQ(read(0, 120), wanted);
}

TEST_F(LogOnDatabase, of_an_empty_database_is_empty) {
    start();

    EXPECT_THAT(read(0, 100), IsEmpty());
    EXPECT_EQ(bed.run(bed.outbox->oldest_kept()), core::Position(1));
    EXPECT_EQ(bed.outbox->head(), core::Position(0));
}

TEST_F(LogOnDatabase, a_range_that_retention_removed_is_gone_and_the_error_names_the_oldest_kept) {
    QueueSettings at_once;
    at_once.retention = std::chrono::seconds(0);
    Settings settings;
    settings.retention.idle_interval = settings.retention.rest_interval = std::chrono::milliseconds(1);
    auto builder = bed.builder();
    builder.settings(settings).queue("orders", lanes(4), at_once).queue("stock", lanes(2), at_once);
    builder.transactional("orders", "audit", audit.handler());
    bed.start(builder);
    publish(10);
    ASSERT_TRUE(bed.drained());
    ASSERT_TRUE(bed.becomes("select count(*) from sluice_tick", 1));

    EXPECT_EQ(bed.run(bed.outbox->oldest_kept()), core::Position(10));
    EXPECT_THAT(error_of([&] { static_cast<void>(read(0, 10)); }),
                Pair("gone", HasSubstr("position 1 was removed by retention; the oldest kept is 10")));
    EXPECT_THAT(error_of([&] { static_cast<void>(read(8, 10)); }), Pair("gone", HasSubstr("position 9")));
    EXPECT_THAT(read(9, 10), ElementsAre("10"));
}

TEST_F(LogOnDatabase, a_message_that_is_missing_is_an_error_that_names_it) {
    start();
    publish(5);
    bed.execute("delete from sluice_message where id = 3");

    EXPECT_THAT(error_of([&] { static_cast<void>(read(0, 5)); }),
                Pair("corrupt", HasSubstr("tick 3 names message 3, which sluice_message lacks")));
    EXPECT_THAT(read(3, 5), ElementsAre("4", "5")) << "what does not concern it can be read";
}

TEST_F(LogOnDatabase, a_tick_that_is_missing_is_an_error_that_names_it) {
    start();
    publish(5);
    bed.execute("delete from sluice_tick where n = 3");

    EXPECT_THAT(error_of([&] { static_cast<void>(read(0, 5)); }),
                Pair("corrupt", HasSubstr("sluice_tick lacks row 3")));
}

TEST_F(LogOnDatabase, a_tick_that_does_not_decode_is_an_error) {
    start();
    publish(5);
    bed.execute("update sluice_tick set refs = " + bed.sql_text.bytes("ff00ff") + " where n = 3");

    EXPECT_EQ(error_of([&] { static_cast<void>(read(0, 5)); }).first, "corrupt");
}

TEST_F(LogOnDatabase, a_backlog_with_a_missing_message_stops_and_skips_nothing) {
    start();
    publish(1);
    ASSERT_TRUE(bed.drained());
    bed.stop();
    for (int i = 2; i <= 6; ++i)
        bed.publish("orders", {{"a", std::to_string(i)}});
    start();
    ASSERT_TRUE(bed.drained());
    bed.stop();
    bed.execute("update sluice_cursor set seq = 0, tick = 1");
    bed.execute("delete from sluice_message where id = 4");
    audit.done.clear();

    start();
    ASSERT_TRUE(bed.until([&] { return bed.sink->contains("names message 4, which sluice_message lacks"); }));

    EXPECT_THAT(audit.payloads(), IsEmpty());
    EXPECT_EQ(bed.number("select max(seq) from sluice_cursor"), 0);
}

}  // namespace
}  // namespace sluice::outbox
