// Numbering on a real database: units, rows of other processes, rows of plain SQL.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sluice/outbox/internal/test_script.hpp"

namespace sluice::outbox {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

class SequencingOnDatabase : public ::testing::Test {
protected:
    void SetUp() override { start(); }
    void start(Settings settings = {}) {
        auto builder = bed.builder();
        builder.settings(settings).queue("orders", lanes(4)).transactional("orders", "audit", audit.handler());
        bed.start(builder);
    }
    void restart(Settings settings = {}) {
        bed.stop();
        start(settings);
    }
    [[nodiscard]] bool delivered(std::size_t count) {
        return bed.until([&] { return audit.done.size() >= count; }) && bed.drained();
    }
    void expect_ok(const testing::ShellAnswer& answer) { EXPECT_EQ(answer.status, 0) << answer.output; }
    /// Numbers without a gap or a double: over the database, and within every lane.
    void expect_dense(std::size_t count) {
        ASSERT_EQ(audit.done.size(), count);
        std::map<std::int64_t, std::int64_t> heads;
        std::set<std::int64_t> positions;
        std::map<core::LaneId, std::int64_t> lanes;
        for (const Message& message : audit.done) {
            positions.insert(message.position.value());
            EXPECT_EQ(message.sequence.value(), ++lanes[message.lane]) << message.payload;
        }
        EXPECT_EQ(positions.size(), count);
        EXPECT_EQ(*positions.begin(), 1);
        EXPECT_EQ(*positions.rbegin(), static_cast<std::int64_t>(count));
    }

    LettersBed bed;
    Script& audit = bed.script();
};

/// About what SQLite alone does.
class SequencingOnSqlite : public SequencingOnDatabase {};

TEST_F(SequencingOnDatabase, an_insert_by_the_command_line_is_delivered) {
    expect_ok(bed.shell(bed.insert_sql("orders", "a", "by hand")));

    ASSERT_TRUE(delivered(1));

    const Message& message = audit.done[0];
    EXPECT_EQ(message.queue, "orders");
    EXPECT_EQ(message.key, "a");
    EXPECT_EQ(message.type, "Noted");
    EXPECT_EQ(message.payload, "by hand");
    EXPECT_EQ(message.sequence, core::Sequence(1));
    EXPECT_GT(message.created_at.time_since_epoch().count(), 1'600'000'000'000'000);
}

// docs/outbox.md, "From plain SQL", quotes the first two.
constexpr const char* kSqliteSql = R"sql(
    begin immediate;
    insert into sluice_message(queue, key, type, payload)
    values ((select number from sluice_queue where name = 'orders'), 'A-1', 'OrderPlaced', '{"article":"A-1"}');
    commit;
)sql";
constexpr const char* kPostgresSql = R"sql(
    insert into sluice_message(queue, key, type, payload)
    values (sluice_queue_id('orders'), 'A-1', 'OrderPlaced', convert_to('{"article":"A-1"}', 'UTF8'));
)sql";
constexpr const char* kPostgresFunction = R"sql(
    select sluice_publish('orders', 'A-1', 'OrderPlaced', '{"article":"A-1"}', '{"origin":"till"}');
)sql";

constexpr const char* kMariadbSql = R"sql(
    insert into sluice_message(queue, `key`, type, payload)
    values ((select number from sluice_queue where name = 'orders'), 'A-1', 'OrderPlaced', '{"article":"A-1"}');
)sql";

std::vector<const char*> documented(db::Dialect dialect) {
    if (dialect == db::Dialect::postgres) return {kPostgresSql, kPostgresFunction};
    if (dialect == db::Dialect::mariadb) return {kMariadbSql};
    return {kSqliteSql};
}

TEST_F(SequencingOnDatabase, the_insert_that_the_documentation_shows_is_delivered) {
    for (const char* const text : documented(bed.dialect())) {
        audit.done.clear();
        expect_ok(bed.shell(text));

        ASSERT_TRUE(delivered(1));

        EXPECT_EQ(audit.done[0].key, "A-1");
        EXPECT_EQ(audit.done[0].type, "OrderPlaced");
        EXPECT_EQ(audit.done[0].payload, R"({"article":"A-1"})");
    }
}

TEST_F(SequencingOnDatabase, a_transaction_of_the_command_line_keeps_the_order_of_its_inserts) {
    std::string sql = bed.sql_text.begin();
    for (int i = 0; i < 20; ++i)
        sql += bed.insert_sql("orders", "a", std::to_string(i));
    expect_ok(bed.shell(sql + "commit;"));

    ASSERT_TRUE(delivered(20));

    for (std::size_t i = 0; i < 20; ++i)
        EXPECT_EQ(audit.done[i].payload, std::to_string(i));
    expect_dense(20);
}

TEST_F(SequencingOnDatabase, an_insert_that_the_command_line_takes_back_leaves_nothing) {
    expect_ok(bed.shell(bed.sql_text.begin() + bed.insert_sql("orders", "a", "undone") + "rollback;"));
    expect_ok(bed.shell(bed.insert_sql("orders", "a", "kept")));

    ASSERT_TRUE(delivered(1));

    EXPECT_THAT(audit.payloads(), ElementsAre("kept"));
    expect_dense(1);
}

TEST_F(SequencingOnDatabase, what_was_inserted_while_nobody_ran_is_delivered_at_the_next_start) {
    bed.publish("orders", {{"a", "1"}});
    ASSERT_TRUE(bed.drained());
    bed.stop();
    expect_ok(bed.shell(bed.insert_sql("orders", "a", "2")));
    bed.publish("orders", {{"a", "3"}});

    start();

    ASSERT_TRUE(delivered(3));
    EXPECT_THAT(audit.payloads(), ElementsAre("1", "2", "3"));
    expect_dense(3);
}

TEST_F(SequencingOnDatabase, rows_of_the_command_line_come_before_what_is_published_after_them) {
    std::vector<std::string> wanted;
    for (int i = 0; i < 10; ++i) {
        wanted.push_back(std::to_string(2 * i));
        wanted.push_back(std::to_string(2 * i + 1));
        expect_ok(bed.shell(bed.insert_sql("orders", "a", std::to_string(2 * i))));
        bed.publish("orders", {{"a", std::to_string(2 * i + 1)}});
        ASSERT_TRUE(bed.drained()) << "the shell would wait for a unit that this thread has to end";
    }

    ASSERT_TRUE(delivered(20));

    EXPECT_EQ(audit.payloads(), wanted);
    expect_dense(20);
}

TEST_F(SequencingOnDatabase, an_insert_with_an_unknown_queue_number_becomes_a_dead_letter_and_stops_no_tick) {
    expect_ok(bed.shell("insert into sluice_message(queue, \"key\", type, payload) values (99, 'a', 'Noted', 'lost');" +
                        bed.insert_sql("orders", "a", "found")));

    ASSERT_TRUE(delivered(1));

    EXPECT_THAT(audit.payloads(), ElementsAre("found"));
    expect_dense(1);
    const std::vector<DeadLetter> letters = bed.list();
    ASSERT_EQ(letters.size(), 1U);
    EXPECT_EQ(letters[0].subscription, "");
    EXPECT_EQ(letters[0].message.queue, "#99");
    EXPECT_EQ(letters[0].message.payload, "lost");
    EXPECT_EQ(letters[0].message.attempts, 0);
    EXPECT_THAT(letters[0].reason, HasSubstr("queue number"));
}

TEST_F(SequencingOnDatabase, queue_numbers_that_no_queue_can_have_are_dead_letters_too) {
    for (const char* const number : {"0", "-1", "99999999999"})
        expect_ok(bed.shell(std::string("insert into sluice_message(queue, type, payload) values (") + number +
                            ", 'Noted', 'x');"));
    ASSERT_TRUE(bed.becomes("select count(*) from sluice_dead_letter", 3));

    bed.publish("orders", {{"a", "1"}});

    ASSERT_TRUE(delivered(1));
    expect_dense(1);
    EXPECT_EQ(bed.run(bed.outbox->read_log(core::Position(0), core::Position(10), 10)).size(), 1U);
}

TEST_F(SequencingOnDatabase, a_long_run_of_unknown_numbers_hides_nothing_behind_it) {
    bed.publish("orders", {{"a", "before"}});
    ASSERT_TRUE(delivered(1));
    bed.stop();
    expect_ok(bed.shell("insert into sluice_message(queue, type, payload) select 99, 'Noted', 'x' from " +
                        bed.sql_text.numbers(12'000) + ";" + bed.insert_sql("orders", "a", "behind")));
    Settings settings;
    settings.tick_messages = 10;

    start(settings);

    ASSERT_TRUE(delivered(2));
    ASSERT_TRUE(bed.becomes("select count(*) from sluice_dead_letter", 12'000));
    expect_dense(2);
    EXPECT_EQ(bed.run(bed.outbox->read_log(core::Position(0), core::Position(2), 10)).size(), 2U);
    restart();
    bed.publish("orders", {{"a", "after"}});
    ASSERT_TRUE(delivered(3));
}

TEST_F(SequencingOnDatabase, an_insert_without_a_queue_is_refused_by_a_constraint_whose_name_says_why) {
    const testing::ShellAnswer answer = bed.shell(bed.insert_sql("order", "a", "1"));

    EXPECT_NE(answer.status, 0);
    EXPECT_THAT(answer.output, HasSubstr("sluice_queue_is_not_declared"));
    bed.publish("orders", {{"a", "2"}});
    ASSERT_TRUE(delivered(1));
}

TEST_F(SequencingOnDatabase, payloads_of_plain_sql_may_be_text_or_bytes) {
    expect_ok(bed.shell("insert into sluice_message(queue, \"key\", type, payload) values (1, 'a', 'T', " +
                        bed.sql_text.bytes("00ff") + "), (1, 'a', 'T', 'text'), (1, 'a', 'T', '');"));

    ASSERT_TRUE(delivered(3));

    EXPECT_THAT(audit.payloads(), ElementsAre(std::string("\x00\xff", 2), "text", ""));
}

TEST_F(SequencingOnSqlite, payloads_of_plain_sql_may_be_numbers) {
    expect_ok(bed.shell("insert into sluice_message(queue, type, payload) values (1, 'T', 42), (1, 'T', 1.5);"));

    ASSERT_TRUE(delivered(2));

    EXPECT_THAT(audit.payloads(), UnorderedElementsAre("42", "1.5"));
}

TEST_F(SequencingOnDatabase, headers_of_plain_sql_that_are_no_object_of_texts_are_handed_on_as_they_are) {
    expect_ok(bed.shell(std::string("insert into sluice_message(queue, \"key\", type, headers, trace, payload) values"
                                    " (1, 'a', 'T', '{', ") +
                        bed.sql_text.bytes("00") + ", '1'), (1, 'a', 'T', '{\"origin\":\"till\"}', null, '2');"));

    ASSERT_TRUE(delivered(2));

    EXPECT_EQ(audit.done[0].headers, (Headers{{"sluice-malformed-headers", "{"}}));
    EXPECT_EQ(audit.done[0].trace, "");
    EXPECT_EQ(audit.done[1].headers, (Headers{{"origin", "till"}}));
}

db::Task<void> publish_with_a_lost_savepoint(db::UnitOfWork& unit) {
    publish(unit, Testbed::outgoing("orders", "a", "before"));
    const auto inner = [](db::UnitOfWork& nested) -> db::Task<void> {
        publish(nested, Testbed::outgoing("orders", "a", "undone"));
        co_await nested.execute(
            "insert into sluice_message(queue, \"key\", type, payload) values (1, 'a', 'Noted', 'undone too')");
        throw core::Error("taken back");
    };
    bool taken_back = false;
    try {
        co_await unit.savepoint(inner);
    } catch (const core::Error&) {
        taken_back = true;
    }
    EXPECT_TRUE(taken_back);
    publish(unit, Testbed::outgoing("orders", "a", "after"));
}

TEST_F(SequencingOnDatabase, a_savepoint_that_is_rolled_back_leaves_no_gap) {
    for (int i = 0; i < 5; ++i)
        bed.run(bed.database->transaction({}, publish_with_a_lost_savepoint));

    ASSERT_TRUE(delivered(10));

    EXPECT_THAT(audit.payloads(), Not(Contains(StartsWith("undone"))));
    expect_dense(10);
}

db::Task<void> insert_and_fail(db::UnitOfWork& unit) {
    co_await unit.execute(
        "insert into sluice_message(queue, \"key\", type, payload) values (1, 'a', 'Noted', 'undone')");
    throw core::Error("taken back");
}

TEST_F(SequencingOnDatabase, a_unit_that_is_rolled_back_leaves_no_gap) {
    for (int i = 0; i < 5; ++i) {
        EXPECT_THROW(bed.run(bed.database->transaction({}, insert_and_fail)), core::Error);
        bed.publish("orders", {{"a", std::to_string(i)}});
    }

    ASSERT_TRUE(delivered(5));

    expect_dense(5);
    EXPECT_EQ(bed.number("select count(*) from sluice_message"), 5);
}

TEST_F(SequencingOnDatabase, messages_of_one_key_share_a_lane_in_the_order_of_their_commits) {
    for (int i = 0; i < 40; ++i)
        bed.publish("orders", {{"k" + std::to_string(i % 8), std::to_string(i)}});

    ASSERT_TRUE(delivered(40));

    std::map<std::string, std::set<core::LaneId>> lanes;
    std::set<core::LaneId> used;
    for (const Message& message : audit.done) {
        lanes[message.key].insert(message.lane);
        used.insert(message.lane);
    }
    for (const auto& [key, of_key] : lanes)
        EXPECT_EQ(of_key.size(), 1U) << key;
    EXPECT_GT(used.size(), 1U);
    for (int key = 0; key < 8; ++key)
        EXPECT_THAT(audit.payloads_of("k" + std::to_string(key)),
                    ElementsAre(std::to_string(key), std::to_string(key + 8), std::to_string(key + 16),
                                std::to_string(key + 24), std::to_string(key + 32)));
    expect_dense(40);
}

TEST_F(SequencingOnDatabase, more_than_one_tick_takes_is_numbered_in_several) {
    Settings settings;
    settings.tick_messages = 10;
    restart(settings);
    std::vector<std::pair<std::string, std::string>> messages;
    for (int i = 0; i < 95; ++i)
        messages.emplace_back("a", std::to_string(i));
    bed.publish("orders", messages);

    ASSERT_TRUE(delivered(95));

    for (std::size_t i = 0; i < 95; ++i)
        EXPECT_EQ(audit.done[i].payload, std::to_string(i));
    expect_dense(95);
    EXPECT_EQ(bed.number("select count(*) from sluice_tick"), 10);
    EXPECT_EQ(bed.number("select max(messages) from sluice_tick"), 10);
}

TEST_F(SequencingOnDatabase, payloads_beyond_the_bytes_of_a_tick_are_read_back_and_nothing_is_lost) {
    Settings settings;
    settings.tick_bytes = 1'000;
    restart(settings);
    std::vector<std::pair<std::string, std::string>> messages;
    for (int i = 0; i < 200; ++i)
        messages.emplace_back("k" + std::to_string(i % 7), std::to_string(i) + std::string(200, 'x'));
    bed.publish("orders", messages);

    ASSERT_TRUE(delivered(200));

    expect_dense(200);
}

TEST_F(SequencingOnDatabase, numbers_and_the_ledger_epoch_go_on_after_a_restart) {
    bed.publish("orders", {{"a", "1"}, {"b", "2"}});
    ASSERT_TRUE(delivered(2));
    const core::Epoch epoch = bed.outbox->ledger_epoch();

    restart();
    bed.publish("orders", {{"a", "3"}, {"b", "4"}});

    ASSERT_TRUE(delivered(4));
    expect_dense(4);
    EXPECT_EQ(bed.outbox->ledger_epoch(), epoch);
    EXPECT_EQ(audit.done.back().ledger_epoch, epoch);
}

/// A second outbox on the same database, as another process would run one.
class SequencingByTwo : public SequencingOnDatabase {
protected:
    void SetUp() override {
        SequencingOnDatabase::SetUp();
        other_database = bed.open();
        auto builder = Outbox::builder(other_database, bed.shard, bed.log(), other_metrics);
        builder.queue("orders", lanes(4)).transactional("orders", "mail", mail.handler());
        other = bed.run(builder.start());
    }
    void TearDown() override { bed.run(other->stop(std::chrono::seconds(5))); }
    void publish_there(const std::string& key, const std::string& payload) {
        const auto body = [&](db::UnitOfWork& unit) { return Testbed::publish_in(unit, "orders", {{key, payload}}); };
        bed.run(other_database->transaction({}, body));
    }

    core::Metrics other_metrics;
    std::shared_ptr<db::DataSource> other_database;
    std::unique_ptr<Outbox> other;
    Script& mail = bed.script();
};

TEST_F(SequencingByTwo, messages_of_both_reach_the_subscriptions_of_both_in_one_order) {
    for (int i = 0; i < 30; ++i) {
        bed.publish("orders", {{"a", std::to_string(2 * i)}});
        publish_there("a", std::to_string(2 * i + 1));
    }

    ASSERT_TRUE(delivered(60));
    ASSERT_TRUE(bed.until([&] { return mail.done.size() == 60; }));

    expect_dense(60);
    for (std::size_t i = 0; i < 60; ++i) {
        EXPECT_EQ(audit.done[i].payload, std::to_string(i));
        EXPECT_EQ(mail.done[i].payload, std::to_string(i));
        EXPECT_EQ(mail.done[i].position, audit.done[i].position);
    }
}

TEST(SequencingReconciler, notices_a_lost_cursor_also_while_nothing_is_to_be_delivered) {
    LettersBed bed;
    Script& audit = bed.script();
    Settings settings;
    settings.reconciler.idle_interval = settings.reconciler.rest_interval = std::chrono::milliseconds(1);
    auto builder = bed.builder();
    builder.settings(settings).queue("orders", lanes(4)).transactional("orders", "audit", audit.handler());
    bed.start(builder);
    bed.publish("orders", {{"a", "1"}});
    ASSERT_TRUE(bed.drained());

    bed.execute("update sluice_cursor set epoch = epoch + 1, owner = 'somebody else'");

    ASSERT_TRUE(
        bed.until([&] { return bed.sink->contains("subscription audit: its cursor belongs to somebody else now"); }));
    bed.publish("orders", {{"a", "2"}});
    ASSERT_TRUE(bed.until([&] { return bed.outbox->head() == core::Position(2); }));
    EXPECT_THAT(audit.payloads(), ElementsAre("1"));
}

TEST_F(SequencingOnDatabase, a_unit_that_cannot_be_numbered_commits_all_the_same_and_is_numbered_later) {
    bed.publish("orders", {{"a", "1"}});
    ASSERT_TRUE(delivered(1));
    bed.make_failing("fails", "insert on sluice_tick", "no tick");

    bed.publish("orders", {{"a", "2"}});
    bed.publish("orders", {{"a", "3"}});

    EXPECT_EQ(bed.number("select count(*) from sluice_message"), 3) << "the units are not to blame";
    EXPECT_EQ(bed.number("select count(*) from sluice_tick"), 1);
    ASSERT_TRUE(bed.until([&] { return bed.sink->contains("no tick"); }));
    bed.drop_trigger("fails");
    ASSERT_TRUE(delivered(3));
    expect_dense(3);
    EXPECT_THAT(audit.payloads(), ElementsAre("1", "2", "3"));
    EXPECT_THAT(bed.metrics.render(), HasSubstr("sluice_outbox_tick_failures_total"));
}

TEST_F(SequencingOnDatabase, a_letter_that_cannot_be_written_undoes_the_tick_and_both_come_later) {
    bed.make_failing("fails", "insert on sluice_dead_letter", "no letter");
    bed.execute("insert into sluice_message(queue, type, payload) values (99, 'Noted', 'x'), (1, 'Noted', '1')");
    ASSERT_TRUE(bed.until([&] { return bed.sink->contains("no letter"); }));
    EXPECT_EQ(bed.number("select count(*) from sluice_tick"), 0);

    bed.drop_trigger("fails");

    ASSERT_TRUE(delivered(1));
    expect_dense(1);
    EXPECT_EQ(bed.count(), 1U);
}

}  // namespace
}  // namespace sluice::outbox
