// Retention on a real database: what goes, what must stay, and what a start finds afterwards.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sluice/db/error.hpp"
#include "sluice/outbox/internal/housekeeping.hpp"
#include "sluice/outbox/internal/log_reader.hpp"
#include "sluice/outbox/internal/test_script.hpp"

namespace sluice::outbox {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;

/// In a running outbox retention looks every millisecond; `look` is one look of a process that runs no subscription.
class RetentionOnDatabase : public ::testing::Test {
protected:
    [[nodiscard]] Outbox::Builder builder() {
        Settings settings;
        settings.retention.active_interval = settings.retention.min_interval = milliseconds(0);
        settings.retention.idle_interval = settings.retention.rest_interval = milliseconds(1);
        auto made = bed.builder();
        made.settings(settings);
        return made;
    }
    static QueueSettings keep(std::optional<seconds> retention) {
        QueueSettings settings;
        settings.retention = retention;
        return settings;
    }
    void start(std::optional<seconds> retention = seconds(0)) {
        auto made = builder();
        made.queue("orders", lanes(4), keep(retention)).transactional("orders", "audit", audit.handler(), hasty());
        bed.start(made);
    }
    /// As many ticks as messages.
    void publish(int count, const std::string& queue = "orders") {
        for (int i = 0; i < count; ++i) {
            const std::string number = std::to_string(++published);
            bed.publish_alone(queue, "k" + number, number);
        }
    }
    /// Publishes while retention is as told, and stops.
    void fill(int count, std::optional<seconds> retention) {
        start(retention);
        publish(count);
        ASSERT_TRUE(bed.drained());
        bed.stop();
    }
    static db::Task<runtime::Directive> look_once(LettersBed& bed, std::uint32_t chunk) {
        std::unique_ptr<db::Connection> connection = co_await bed.database->acquire(db::AccessIntent::read);
        std::vector<QueueRow> queues;
        std::map<std::int32_t, std::uint16_t> lanes;
        for (const db::Row& row : co_await connection->query("select number, name, lanes from sluice_queue")) {
            queues.push_back({static_cast<std::int32_t>(row.get<std::int64_t>(0)), row.get<std::string>(1),
                              static_cast<std::uint16_t>(row.get<std::int64_t>(2))});
            lanes.emplace(queues.back().number, queues.back().lanes);
        }
        const Ledger ledger = co_await load_ledger(*connection, std::move(lanes), "shop");
        connection.reset();
        DeliveryDeps deps{bed.database, bed.shard, bed.log(), core::Random(1), {}};
        const Housekeeping::Subscriptions none;
        Housekeeping housekeeping(deps, none, ledger, queues);
        co_return co_await housekeeping.retain(chunk);
    }
    runtime::Directive look(std::uint32_t chunk = 1'000) { return bed.run(look_once(bed, chunk)); }
    void look_until_idle() {
        while (look().kind() != runtime::Directive::Kind::idle) {
        }
    }
    [[nodiscard]] std::int64_t ticks() { return bed.number("select count(*) from sluice_tick"); }
    [[nodiscard]] std::int64_t messages() { return bed.number("select count(*) from sluice_message"); }
    [[nodiscard]] bool only_newest_left() {
        return bed.becomes("select count(*) from sluice_tick", 1) &&
               bed.becomes("select count(*) from sluice_message", 1);
    }

    LettersBed bed;
    Script& audit = bed.script();
    int published = 0;
};

TEST_F(RetentionOnDatabase, removes_what_every_subscription_has_passed_and_keeps_the_newest_tick) {
    start();
    publish(20);
    ASSERT_TRUE(bed.drained());

    ASSERT_TRUE(only_newest_left());

    EXPECT_EQ(bed.number("select n from sluice_tick"), 20);
    EXPECT_EQ(bed.number("select id from sluice_message"), 20);
    EXPECT_EQ(audit.done.size(), 20U);
}

TEST_F(RetentionOnDatabase, never_removes_what_a_slow_subscription_still_needs) {
    Script& slow = bed.script();
    auto made = builder();
    made.queue("orders", lanes(1), keep(seconds(0)));
    made.transactional("orders", "audit", audit.handler());
    made.transactional("orders", "slow", slow.handler(), hasty(2, PoisonPolicy::block));
    bed.start(made);
    slow.retry("11");
    publish(20);
    ASSERT_TRUE(bed.until([&] { return audit.done.size() == 20; }));

    ASSERT_TRUE(bed.becomes("select count(*) from sluice_message", 10));
    EXPECT_EQ(bed.number("select min(id) from sluice_message"), 11);
    EXPECT_EQ(bed.number("select min(n) from sluice_tick"), 11);
    ASSERT_TRUE(bed.until([&] { return slow.tried.size() > 30; }));
    EXPECT_EQ(messages(), 10);
    slow.accept("11");
    ASSERT_TRUE(bed.drained());
    EXPECT_EQ(slow.distinct_payloads().size(), 20U);
    ASSERT_TRUE(only_newest_left());
}

TEST_F(RetentionOnDatabase, keeps_what_a_subscription_that_does_not_run_still_needs) {
    Script& later = bed.script();
    auto both = builder();
    both.queue("orders", lanes(4), keep(seconds(0)));
    both.transactional("orders", "audit", audit.handler()).transactional("orders", "later", later.handler());
    bed.start(both);
    publish(5);
    ASSERT_TRUE(bed.drained());
    bed.stop();
    fill(10, seconds(0));

    look_until_idle();

    EXPECT_LE(bed.number("select min(id) from sluice_message"), 6);
    EXPECT_GE(messages(), 10);
    auto again = builder();
    again.queue("orders", lanes(4), keep(seconds(0)));
    again.transactional("orders", "audit", audit.handler()).transactional("orders", "later", later.handler());
    bed.start(again);
    ASSERT_TRUE(bed.drained());
    EXPECT_EQ(later.done.size(), 15U);
    ASSERT_TRUE(only_newest_left());
}

TEST_F(RetentionOnDatabase, forgets_a_subscription_whose_rows_were_deleted) {
    Script& gone = bed.script();
    auto both = builder();
    both.queue("orders", lanes(4), keep(seconds(0))).transactional("orders", "gone", gone.handler());
    bed.start(both);
    bed.stop();
    fill(10, seconds(0));
    look_until_idle();
    ASSERT_EQ(messages(), 10);

    bed.execute("delete from sluice_cursor where subscription = 'gone'");
    bed.execute("delete from sluice_subscription where name = 'gone'");
    look_until_idle();

    EXPECT_EQ(messages(), 1);
}

TEST_F(RetentionOnDatabase, keeps_everything_for_its_age) {
    fill(10, seconds(3'600));

    EXPECT_EQ(look().kind(), runtime::Directive::Kind::idle);

    EXPECT_EQ(ticks(), 10);
    bed.execute("update sluice_tick set ticked_at = ticked_at - 3700000000 where n <= 4");
    look_until_idle();
    EXPECT_EQ(bed.number("select min(n) from sluice_tick"), 5);
    EXPECT_EQ(bed.number("select min(id) from sluice_message"), 5);
}

TEST_F(RetentionOnDatabase, stops_at_the_first_tick_that_must_stay_also_when_later_ones_look_older) {
    fill(10, seconds(3'600));
    bed.execute("update sluice_tick set ticked_at = ticked_at - 3700000000 where n <> 3");

    look_until_idle();

    EXPECT_EQ(bed.number("select min(n) from sluice_tick"), 3) << "the clock was moved";
    EXPECT_EQ(ticks(), 8);
}

TEST_F(RetentionOnDatabase, without_an_age_keeps_everything_for_ever) {
    fill(10, std::nullopt);
    bed.execute("update sluice_tick set ticked_at = 0");

    look_until_idle();

    EXPECT_EQ(ticks(), 10);
    EXPECT_EQ(messages(), 10);
}

TEST_F(RetentionOnDatabase, the_longest_retention_of_all_queues_decides) {
    auto made = builder();
    made.queue("orders", lanes(4), keep(seconds(0))).queue("stock", lanes(1), keep(seconds(3'600)));
    bed.start(made);
    publish(5);
    publish(5, "stock");
    ASSERT_TRUE(bed.until([&] { return bed.outbox->head() == core::Position(10); }));
    bed.stop();

    look_until_idle();
    EXPECT_EQ(ticks(), 10);

    bed.execute("update sluice_queue set retention_s = null where name = 'orders'");
    bed.execute("update sluice_tick set ticked_at = 0");
    look_until_idle();
    EXPECT_EQ(ticks(), 10) << "for ever is the longest";
    bed.execute("update sluice_queue set retention_s = 0");
    look_until_idle();
    EXPECT_EQ(ticks(), 1);
}

TEST_F(RetentionOnDatabase, goes_by_age_alone_where_nobody_subscribes) {
    auto made = builder();
    made.queue("orders", lanes(4), keep(seconds(0)));
    bed.start(made);
    publish(10);

    ASSERT_TRUE(only_newest_left());
    EXPECT_EQ(bed.run(bed.outbox->oldest_kept()), core::Position(10));
}

TEST_F(RetentionOnDatabase, removes_in_bounded_steps) {
    fill(20, seconds(3'600));
    bed.execute("update sluice_queue set retention_s = 0");

    for (int step = 1; step <= 6; ++step) {
        EXPECT_EQ(look(3).kind(), runtime::Directive::Kind::proceed);
        EXPECT_EQ(ticks(), 20 - 3 * step);
        EXPECT_EQ(messages(), 20 - 3 * step);
    }
    look(3);
    EXPECT_EQ(ticks(), 1);
    EXPECT_EQ(look(3).kind(), runtime::Directive::Kind::idle);
}

TEST_F(RetentionOnDatabase, a_tick_of_many_messages_goes_in_bounded_steps_too) {
    start(seconds(3'600));
    std::vector<std::pair<std::string, std::string>> many;
    for (int i = 0; i < 10; ++i)
        many.emplace_back("a", std::to_string(i));
    bed.publish("orders", many);
    ASSERT_TRUE(bed.drained());
    bed.publish("orders", {{"a", "newest"}});
    ASSERT_TRUE(bed.drained());
    bed.stop();
    bed.execute("update sluice_queue set retention_s = 0");

    // On MariaDB a tick goes with its messages, however many.
    const bool whole = bed.dialect() == db::Dialect::mariadb;
    look(4);
    EXPECT_EQ(ticks(), 1);
    EXPECT_EQ(messages(), whole ? 1 : 7);
    look(4);
    EXPECT_EQ(messages(), whole ? 1 : 3);
    look(4);
    EXPECT_EQ(messages(), 1);
}

TEST_F(RetentionOnDatabase, the_oldest_tick_kept_has_what_a_start_begins_with) {
    start();
    publish(30);
    ASSERT_TRUE(bed.drained());
    ASSERT_TRUE(only_newest_left());
    const std::int64_t sequences = bed.number("select sum(seq) from sluice_cursor");
    bed.stop();

    start();
    publish(1);
    ASSERT_TRUE(bed.drained());

    EXPECT_EQ(sequences, 30);
    EXPECT_EQ(audit.done.back().position, core::Position(31));
    EXPECT_EQ(bed.number("select sum(seq) from sluice_cursor"), 31) << "sequences go on";
    EXPECT_EQ(audit.done.size(), 31U);
}

TEST_F(RetentionOnDatabase, ids_never_come_back) {
    start();
    publish(10);
    ASSERT_TRUE(bed.drained());
    bed.stop();
    bed.execute("delete from sluice_message");

    start();
    publish(1);
    ASSERT_TRUE(bed.drained());

    EXPECT_EQ(audit.done.back().id, core::MessageId(11));
    EXPECT_EQ(audit.done.size(), 11U);
}

TEST_F(RetentionOnDatabase, a_new_subscription_from_the_start_begins_at_the_oldest_message_kept) {
    fill(20, seconds(3'600));
    bed.execute("update sluice_tick set ticked_at = 0 where n <= 12");
    look_until_idle();
    Script& fresh = bed.script();
    Script& view = bed.script();
    auto made = builder();
    made.queue("orders", lanes(4), keep(seconds(3'600)));
    made.transactional("orders", "fresh", fresh.handler()).batch_merged({"orders"}, "view", view.batch_handler());
    bed.start(made);

    ASSERT_TRUE(bed.drained());

    ASSERT_EQ(fresh.done.size(), 8U);
    std::vector<std::int64_t> positions;
    for (const Message& message : view.done)
        positions.push_back(message.position.value());
    EXPECT_THAT(positions, ElementsAre(13, 14, 15, 16, 17, 18, 19, 20));
    for (const Message& message : fresh.done)
        EXPECT_EQ(message.sequence, view.done.at(static_cast<std::size_t>(message.position.value()) - 13).sequence);
}

TEST_F(RetentionOnDatabase, letters_and_waiting_copies_are_not_its_business) {
    start();
    audit.reject("1");
    audit.set_aside("2");
    publish(10);
    ASSERT_TRUE(bed.drained());
    ASSERT_TRUE(only_newest_left());

    audit.accept("1");
    audit.accept("2");
    EXPECT_EQ(bed.list().at(0).message.payload, "1");
    bed.run(bed.letters().release("audit", "orders", "k2"));
    bed.run(bed.letters().replay({}, {}, ReplayPlace::in_order));
    ASSERT_TRUE(bed.becomes("select count(*) from sluice_parked", 0));

    EXPECT_THAT(audit.payloads_of("k1"), ElementsAre("1"));
    EXPECT_THAT(audit.payloads_of("k2"), ElementsAre("2"));
}

/// What a merged subscription passes over is remembered in memory and stored later: a process may end in between.
TEST_F(RetentionOnDatabase, a_merged_subscription_whose_queue_rests_finds_its_place_after_a_restart) {
    Script& view = bed.script();
    const auto start_view = [&] {
        auto made = builder();
        made.queue("orders", lanes(1), keep(seconds(0))).queue("stock", lanes(1), keep(seconds(0)));
        made.batch_merged({"stock"}, "view", view.batch_handler());
        bed.start(made);
    };
    start_view();
    bed.make_failing("never_stored", "update on sluice_cursor", "not stored", "new.seq > old.seq");
    publish(20);  // of the other queue
    ASSERT_TRUE(bed.drained());
    ASSERT_TRUE(bed.until([&] { return bed.sink->contains("not stored"); })) << "retention asks for it";
    bed.stop();
    bed.drop_trigger("never_stored");

    start_view();
    publish(1, "stock");
    ASSERT_TRUE(bed.drained());

    EXPECT_THAT(view.payloads(), ElementsAre("21"));
    EXPECT_FALSE(bed.sink->contains("nothing is skipped")) << "its place in the log was removed";
}

TEST_F(RetentionOnDatabase, what_a_merged_subscription_passed_over_goes_once_its_cursor_is_stored) {
    Script& view = bed.script();
    auto made = builder();
    made.queue("orders", lanes(1), keep(seconds(0))).queue("stock", lanes(1), keep(seconds(0)));
    made.batch_merged({"stock"}, "view", view.batch_handler());
    bed.start(made);
    publish(20);

    ASSERT_TRUE(only_newest_left());

    EXPECT_TRUE(bed.becomes("select seq from sluice_cursor", 20)) << "the newest tick stays, so it may come last";
    publish(1, "stock");
    ASSERT_TRUE(bed.drained());
    EXPECT_THAT(view.payloads(), ElementsAre("21"));
}

/// A receiver takes a hole in the chain for something it missed.
TEST_F(RetentionOnDatabase, batches_chain_over_a_cursor_that_moved_on_without_one) {
    Seen view;
    auto made = builder();
    made.queue("orders", lanes(1), keep(seconds(0))).queue("stock", lanes(1), keep(seconds(0)));
    made.batch_merged({"stock"}, "view", view.batch_handler());
    bed.start(made);
    publish(1, "stock");
    ASSERT_TRUE(bed.drained());
    publish(5);

    ASSERT_TRUE(bed.becomes("select seq from sluice_cursor", 6));
    publish(1, "stock");
    ASSERT_TRUE(bed.drained());

    ASSERT_EQ(view.batches.size(), 2U);
    EXPECT_EQ(view.batches[0].up_to, 1);
    EXPECT_EQ(view.batches[1].after, 1);
    EXPECT_EQ(view.batches[1].up_to, 7);
}

/// Ticks go in one commit, messages in later ones (on MariaDB in the same): between two of them the process may end.
TEST_F(RetentionOnDatabase, messages_that_a_process_left_behind_are_removed_by_the_next_one) {
    fill(10, seconds(3'600));
    bed.execute("update sluice_queue set retention_s = 0");
    bed.make_failing("killed", "delete on sluice_message", "the process ends");
    EXPECT_THROW(look(), db::Error);
    ASSERT_EQ(ticks(), bed.dialect() == db::Dialect::mariadb ? 10 : 1);
    ASSERT_EQ(messages(), 10);
    bed.drop_trigger("killed");

    start();
    ASSERT_TRUE(bed.drained());

    ASSERT_TRUE(only_newest_left());
    EXPECT_EQ(audit.done.size(), 10U) << "nothing is delivered twice";
    publish(1);
    ASSERT_TRUE(bed.drained());
    EXPECT_EQ(audit.done.size(), 11U);
}

TEST_F(RetentionOnDatabase, a_failure_leaves_ticks_and_messages_as_they_were) {
    fill(10, seconds(3'600));
    bed.execute("update sluice_queue set retention_s = 0");
    bed.make_failing("fails", "delete on sluice_tick", "no");
    const std::string before = bed.dump("select * from sluice_tick; select * from sluice_message");

    EXPECT_THROW(look(), db::Error);

    EXPECT_EQ(bed.dump("select * from sluice_tick; select * from sluice_message"), before);
}

TEST_F(RetentionOnDatabase, a_start_after_retention_reads_a_bounded_number_of_ticks) {
    start(seconds(3'600));
    publish(2'100);
    ASSERT_TRUE(bed.drained());
    bed.stop();

    EXPECT_EQ(bed.dump("select n from sluice_tick where checkpoint is not null"), "1\n1000\n2000\n");
    // A start that reads one of them fails.
    bed.execute("update sluice_tick set refs = " + bed.sql_text.bytes("ff00ff") + " where n < 2000");
    start(seconds(3'600));
    publish(1);
    ASSERT_TRUE(bed.drained());
    EXPECT_EQ(audit.done.back().position, core::Position(2'101));
}

}  // namespace
}  // namespace sluice::outbox
