// Numbering on PostgreSQL, one tick at a time: what a late commit, a savepoint, a cut diff, a second sequencer, another
// timeline and a restore do to it.
#include "sluice/outbox/internal/test_between.hpp"
#include "sluice/outbox/internal/test_tick_bed.hpp"

namespace sluice::outbox::postgres {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

TEST(PostgresTicks, within_a_tick_the_order_is_that_of_ids_not_of_transactions) {
    TickBed bed(db::Dialect::postgres);
    const auto process = bed.process();
    const auto older = bed.open_unit();
    bed.run(older->run("select pg_current_xact_id()"));
    bed.insert("first");
    bed.run(older->run(bed.insert_sql("second")));
    bed.run(older->commit());

    bed.tick_all(*process);

    EXPECT_THAT(process->ticks, SizeIs(1));
    EXPECT_THAT(process->payloads(), ElementsAre("first", "second"));
}

/// Asked inside of its transactions: the server's other databases use transaction ids all the time.
TEST(PostgresTicks, a_look_that_finds_nothing_writes_nothing) {
    TickBed bed(db::Dialect::postgres);
    std::vector<bool> wrote;
    const Between look = [&](db::Transaction& unit) -> db::Task<void> {
        const db::Result row = co_await unit.query("select pg_current_xact_id_if_assigned() is not null");
        wrote.push_back(row.rows.at(0).get<bool>(0));
    };
    const auto process = bed.process({}, std::make_shared<SourceWithPauses>(bed.source, look));
    bed.insert("1");
    bed.tick_all(*process);
    EXPECT_THAT(wrote, ::testing::Contains(true));

    wrote.clear();
    for (int i = 0; i < 5; ++i)
        EXPECT_EQ(bed.tick(*process), 0U);

    EXPECT_EQ(bed.number("select count(*) from sluice_tick"), 1);
    EXPECT_GE(wrote.size(), 5U);
    EXPECT_THAT(wrote, ::testing::Each(false)) << "not even a transaction id was used";
}

/// A backlog of 95 with a message that commits in the middle of it and has the lowest id of all.
TEST(PostgresTicks, a_backlog_is_cut_into_ticks_and_goes_on_after_a_restart_between_two) {
    TickBed bed(db::Dialect::postgres);
    Settings settings;
    settings.tick_messages = 10;
    auto process = bed.process(settings);
    const auto late = bed.open_unit();
    bed.run(late->run(bed.insert_sql("late")));
    for (int i = 1; i <= 95; ++i)
        bed.insert(std::to_string(i));
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(bed.tick(*process), 10U);
    bed.run(late->commit());
    bed.insert("96");

    process = bed.process(settings);  // another process takes over where this one was killed
    bed.tick_all(*process);

    std::vector<std::string> expected = counted(1, 95);
    expected.emplace_back("late");
    expected.emplace_back("96");
    EXPECT_EQ(bed.log(), expected) << "the rest of the cut diff comes before what was committed during it";
    EXPECT_EQ(bed.number("select count(*) from sluice_tick where cut is not null"), 9);
    EXPECT_EQ(bed.number("select messages from sluice_tick order by n desc limit 1"), 2);
}

/// What a logical restore leaves: transaction ids that mean nothing on this server, and messages that no tick names.
TEST(PostgresTicks, a_log_that_was_restored_into_another_server_goes_on) {
    TickBed bed(db::Dialect::postgres);
    auto process = bed.process();
    for (const char* const payload : {"1", "2", "3"}) {
        bed.insert(payload);
        bed.tick_all(*process);
    }
    bed.insert("4");
    bed.execute("update sluice_message set xid = (xid::text::bigint + 5000000)::text::xid8");
    bed.execute("update sluice_tick set identity = '77/77/00000001', snapshot = '5000000:6000000:5000001'");
    const auto open = bed.open_unit();
    bed.run(open->run("select pg_current_xact_id()"));

    process = bed.process();
    bed.run(open->run(bed.insert_sql("5")));  // began before the restore was dealt with
    bed.tick_all(*process);
    EXPECT_THAT(bed.log(), ElementsAre("1", "2", "3", "4"));
    bed.run(open->commit());
    bed.insert("6");
    bed.tick_all(*process);

    EXPECT_THAT(bed.log(), ElementsAre("1", "2", "3", "4", "5", "6"));
    EXPECT_EQ(bed.number("select count(distinct epoch) from sluice_tick"), 2);
}

TEST(PostgresTicks, a_restored_log_without_unnumbered_messages_goes_on_too) {
    TickBed bed(db::Dialect::postgres);
    auto process = bed.process();
    bed.insert("1");
    bed.tick_all(*process);
    bed.execute("update sluice_tick set identity = '77/77/00000001', snapshot = '5000000:5000000:'");

    process = bed.process();
    EXPECT_EQ(bed.tick_all(*process), 0) << "nothing is numbered twice";
    bed.insert("2");
    bed.tick_all(*process);

    EXPECT_THAT(bed.log(), ElementsAre("1", "2"));
    EXPECT_GT(process->ticks.at(0).tick.epoch.value(), bed.number("select min(epoch) from sluice_tick"));
}

/// A dump made between the two steps of retention: the tick is gone, its message not yet.
TEST(PostgresTicks, a_restored_log_does_not_number_again_what_retention_had_begun_to_remove) {
    TickBed bed(db::Dialect::postgres);
    auto process = bed.process();
    bed.insert("old");
    bed.tick_all(*process);
    bed.insert("1");
    bed.tick_all(*process);
    bed.execute(
        "update sluice_tick set checkpoint = '\\x0101010002', removed_in ="
        " (select snapshot::pg_snapshot from sluice_tick where n = 1) where n = 2");
    bed.execute("delete from sluice_tick where n = 1");
    bed.execute("update sluice_tick set identity = '77/77/00000001'");

    process = bed.process();

    EXPECT_EQ(bed.tick_all(*process), 0);
    EXPECT_EQ(bed.number("select count(*) from sluice_message"), 1);
    bed.insert("2");
    bed.tick_all(*process);
    EXPECT_THAT(process->payloads(), ElementsAre("2"));
    EXPECT_EQ(process->ticks.at(0).tick.first_position.value(), 3);
}

/// As docs/outbox.md shows it.
constexpr const char* kPlainSql = R"(
select sluice_publish('orders', 'A-1', 'OrderPlaced', '{"article":"A-1"}');
)";

TEST(PostgresTicks, other_languages_publish_by_a_function_that_names_the_queues_there_are) {
    TickBed bed(db::Dialect::postgres);
    const auto process = bed.process();
    EXPECT_EQ(
        bed.base.shell(R"(select sluice_publish('orders', 'a', 'Noted', '{"back\\slash": 1}', '{"source": "psql"}'))")
            .output,
        "1\n");
    EXPECT_EQ(bed.base.shell(kPlainSql).output, "2\n");
    EXPECT_THAT(bed.base.shell("select sluice_publish('oders', 'a', 'Noted', '1')").output,
                HasSubstr("queue \"oders\" is not declared; there are: orders"));

    bed.tick_all(*process);

    const Message& message = *process->ticks.at(0).slice.messages.at(0).message;
    EXPECT_EQ(message.payload, R"({"back\\slash": 1})");
    EXPECT_EQ(message.headers, (Headers{{"source", "psql"}}));
    EXPECT_EQ(process->payloads().back(), R"({"article":"A-1"})");
}

}  // namespace
}  // namespace sluice::outbox::postgres
