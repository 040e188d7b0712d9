// Numbering on PostgreSQL, one tick at a time: what a late commit, a savepoint, a cut diff, a second sequencer, another
// timeline and a restore do to it.
#include "sluice/outbox/postgres/internal/test_tick_bed.hpp"

namespace sluice::outbox::postgres {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

std::vector<std::string> counted(int from, int to) {
    std::vector<std::string> all;
    for (int i = from; i <= to; ++i)
        all.push_back(std::to_string(i));
    return all;
}

TEST(PostgresTicks, a_late_commit_is_numbered_by_the_first_tick_that_sees_it_and_holds_up_nobody) {
    TickBed bed;
    const auto process = bed.process();
    const auto late = bed.open_unit();
    bed.run(late->run(TickBed::insert_sql("late")));
    bed.insert("early");
    bed.tick_all(*process);
    EXPECT_THAT(process->payloads(), ElementsAre("early"));

    bed.run(late->commit());
    bed.tick_all(*process);

    EXPECT_THAT(process->payloads(), ElementsAre("early", "late"));
    EXPECT_LT(process->ticks[1].tick.highest_id, process->ticks[0].tick.lowest_id) << "its id was given first";
    EXPECT_THAT(bed.log(), ElementsAre("early", "late"));
}

TEST(PostgresTicks, within_a_tick_the_order_is_that_of_ids_not_of_transactions) {
    TickBed bed;
    const auto process = bed.process();
    const auto older = bed.open_unit();
    bed.run(older->run("select pg_current_xact_id()"));
    bed.insert("first");
    bed.run(older->run(TickBed::insert_sql("second")));
    bed.run(older->commit());

    bed.tick_all(*process);

    EXPECT_THAT(process->ticks, SizeIs(1));
    EXPECT_THAT(process->payloads(), ElementsAre("first", "second"));
}

TEST(PostgresTicks, what_a_savepoint_or_a_rollback_undid_gets_no_number) {
    TickBed bed;
    const auto process = bed.process();
    const auto unit = bed.open_unit();
    bed.run(unit->run(TickBed::insert_sql("1")));
    bed.run(unit->run("savepoint s"));
    bed.run(unit->run(TickBed::insert_sql("undone")));
    bed.run(unit->run("rollback to savepoint s"));
    bed.run(unit->run(TickBed::insert_sql("2")));
    bed.run(unit->commit());
    const auto lost = bed.open_unit();
    bed.run(lost->run(TickBed::insert_sql("lost")));
    bed.run(lost->rollback());

    bed.tick_all(*process);

    EXPECT_THAT(process->payloads(), ElementsAre("1", "2"));
    EXPECT_THAT(bed.log(), ElementsAre("1", "2"));
}

TEST(PostgresTicks, a_look_that_finds_nothing_writes_nothing) {
    TickBed bed;
    const auto process = bed.process();
    bed.insert("1");
    bed.tick_all(*process);
    const std::int64_t before = bed.number("select pg_snapshot_xmax(pg_current_snapshot())::text::bigint");

    for (int i = 0; i < 5; ++i)
        EXPECT_EQ(bed.tick(*process), 0U);

    EXPECT_EQ(bed.number("select count(*) from sluice_tick"), 1);
    EXPECT_EQ(bed.number("select pg_snapshot_xmax(pg_current_snapshot())::text::bigint"), before)
        << "not even a transaction id was used";
}

/// A backlog of 95 with a message that commits in the middle of it and has the lowest id of all.
TEST(PostgresTicks, a_backlog_is_cut_into_ticks_and_goes_on_after_a_restart_between_two) {
    TickBed bed;
    Settings settings;
    settings.tick_messages = 10;
    auto process = bed.process(settings);
    const auto late = bed.open_unit();
    bed.run(late->run(TickBed::insert_sql("late")));
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

TEST(PostgresTicks, payloads_beyond_the_memory_of_a_tick_are_numbered_and_read_back) {
    TickBed bed;
    Settings settings;
    settings.tick_bytes = 10;
    const auto process = bed.process(settings);
    bed.execute(
        "insert into sluice_message(queue, key, type, payload) select 1, 'a', 'Noted', convert_to(repeat('x', 6) ||"
        " i, 'UTF8') from generate_series(1, 5) i");

    bed.tick_all(*process);

    EXPECT_THAT(process->payloads(), ElementsAre("xxxxxx1", "xxxxxx2"));
    EXPECT_EQ(process->ticks.at(0).tick.count(), 5);
    EXPECT_THAT(bed.log(), SizeIs(5));
}

TEST(PostgresTicks, of_two_sequencers_one_is_fenced_and_both_see_the_same_ledger) {
    TickBed bed;
    const auto first = bed.process();
    const auto second = bed.process();
    for (int i = 1; i <= 20; ++i) {
        bed.insert(std::to_string(i));
        bed.tick_all(i % 2 == 0 ? *first : *second);
    }
    bed.tick_all(*first);
    bed.tick_all(*second);

    EXPECT_THAT(first->ticks, SizeIs(20));
    EXPECT_THAT(second->ticks, SizeIs(20));
    for (std::size_t i = 0; i < 20; ++i)
        EXPECT_EQ(first->ticks[i].tick.runs, second->ticks[i].tick.runs) << i;
    EXPECT_EQ(bed.log(), counted(1, 20));
}

db::Task<void> tick_until_done(Sequencing& sequencing, const bool& done) {
    while (!done)
        co_await sequencing.tick();
    std::uint64_t found = 1;
    while (found > 0)
        found = co_await sequencing.tick();
}

db::Task<void> insert_many(TickBed& bed, int count, bool& done) {
    for (int i = 1; i <= count; ++i) {
        std::unique_ptr<db::Connection> connection = co_await bed.source->acquire(db::AccessIntent::write);
        co_await connection->execute(TickBed::insert_sql(std::to_string(i)));
    }
    done = true;
}

db::Task<void> join_all(runtime::TaskScope& scope) {
    co_await scope.join();
}

TEST(PostgresTicks, two_sequencers_at_the_same_moment_number_every_message_once) {
    TickBed bed;
    const auto first = bed.process();
    const auto second = bed.process();
    bool done = false;
    runtime::TaskScope scope(bed.shard, bed.logger());
    scope.spawn("first", tick_until_done(*first->sequencing, done));
    scope.spawn("second", tick_until_done(*second->sequencing, done));
    scope.spawn("writer", insert_many(bed, 300, done));
    bed.run(join_all(scope));

    EXPECT_EQ(scope.failed(), 0U);
    EXPECT_EQ(bed.log(), counted(1, 300));
    EXPECT_EQ(first->ticks.size(), second->ticks.size());
}

TEST(PostgresTicks, another_timeline_raises_the_epoch_and_keeps_the_numbers) {
    TickBed bed;
    auto process = bed.process();
    bed.insert("1");
    bed.tick_all(*process);
    const core::Epoch before = process->ticks[0].tick.epoch;
    bed.execute("update sluice_tick set identity = left(identity, length(identity) - 8) || '000000FF'");

    process = bed.process();
    bed.insert("2");
    bed.tick_all(*process);

    EXPECT_GT(process->ticks.at(0).tick.epoch, before);
    EXPECT_EQ(process->ticks.at(0).tick.first_position.value(), 2);
    bed.insert("3");
    bed.tick_all(*process);
    EXPECT_EQ(process->ticks.at(1).tick.epoch, process->ticks.at(0).tick.epoch) << "raised once";
}

/// What a logical restore leaves: transaction ids that mean nothing on this server, and messages that no tick names.
TEST(PostgresTicks, a_log_that_was_restored_into_another_server_goes_on) {
    TickBed bed;
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
    bed.run(open->run(TickBed::insert_sql("5")));  // began before the restore was dealt with
    bed.tick_all(*process);
    EXPECT_THAT(bed.log(), ElementsAre("1", "2", "3", "4"));
    bed.run(open->commit());
    bed.insert("6");
    bed.tick_all(*process);

    EXPECT_THAT(bed.log(), ElementsAre("1", "2", "3", "4", "5", "6"));
    EXPECT_EQ(bed.number("select count(distinct epoch) from sluice_tick"), 2);
}

TEST(PostgresTicks, a_restored_log_without_unnumbered_messages_goes_on_too) {
    TickBed bed;
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
    TickBed bed;
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

/// Two processes see the new timeline; the one whose clock runs ahead is fenced.
TEST(PostgresTicks, a_fenced_tick_leaves_no_epoch_behind) {
    TickBed bed;
    auto ahead = bed.process();
    bed.insert("1");
    bed.tick_all(*ahead);
    bed.execute("update sluice_tick set identity = left(identity, length(identity) - 8) || '000000FF'");
    ahead = bed.process();
    bed.execute("create function refuse() returns trigger language plpgsql as $$ begin raise unique_violation; end $$");
    bed.execute("create trigger refuse before insert on sluice_tick for each row execute function refuse()");
    bed.insert("2");
    bed.tick(*ahead);
    bed.execute("drop trigger refuse on sluice_tick");
    const auto other = bed.process();
    bed.tick_all(*other);
    bed.execute(
        "update sluice_tick set epoch = (select min(epoch) + 1 from sluice_tick) where n = 2");  // a slower clock

    bed.insert("3");
    bed.tick_all(*ahead);

    EXPECT_THAT(ahead->payloads(), ElementsAre("3"));
}

TEST(PostgresTicks, a_ledger_that_went_back_is_refused_while_it_is_in_use) {
    TickBed bed;
    const auto process = bed.process();
    bed.insert("1");
    bed.tick_all(*process);
    bed.execute("delete from sluice_tick");
    bed.insert("2");

    std::string said;
    try {
        bed.tick(*process);
    } catch (const Error& e) {
        said = e.what();
    }
    EXPECT_THAT(said, HasSubstr("sluice_tick ends at 0 where 1 was durable"));
    EXPECT_THAT(process->ticks, SizeIs(1));
}

db::Task<Outcome> note(std::vector<std::string>& seen, const Message& message) {
    seen.push_back(message.payload);
    co_return Outcome::ok();
}

db::Task<void> publish_one(db::UnitOfWork& unit) {
    Outgoing message;
    message.queue = "orders";
    message.type = "Noted";
    message.payload = "1";
    outbox::publish(unit, std::move(message));
    co_return;
}

db::Task<bool> becomes_seen(const std::vector<std::string>& seen) {
    for (int i = 0; i < 4'000 && seen.empty(); ++i)
        co_await runtime::sleep_for(std::chrono::milliseconds(5));  // lint: allow sleep: between two looks
    co_return !seen.empty();
}

TEST(PostgresTicks, a_commit_of_this_process_wakes_the_sequencer_whatever_it_polls) {
    TickBed bed;
    std::vector<std::string> seen;
    Settings settings;
    settings.sequencer.idle_interval = settings.sequencer.rest_interval = std::chrono::hours(1);
    auto builder = bed.builder();
    builder.profile(runtime::Profile::low_latency())
        .settings(settings)
        .queue("orders", lanes(1))
        .transactional("orders", "all", [&](db::UnitOfWork&, const Message& message) { return note(seen, message); });
    const std::unique_ptr<Outbox> outbox = bed.run(builder.start());
    EXPECT_TRUE(bed.run(outbox->drained(std::chrono::seconds(20)))) << "its first look is over";

    bed.run(bed.source->transaction({}, [](db::UnitOfWork& unit) { return publish_one(unit); }));

    EXPECT_TRUE(bed.run(becomes_seen(seen)));
    bed.run(outbox->stop(std::chrono::seconds(5)));
}

TEST(PostgresTicks, an_unknown_queue_number_becomes_a_dead_letter_and_stops_nothing) {
    TickBed bed;
    const auto process = bed.process();
    bed.execute("insert into sluice_message(queue, key, type, payload) values (99, 'a', 'Noted', 'lost')");
    bed.insert("found");

    bed.tick_all(*process);

    EXPECT_THAT(process->payloads(), ElementsAre("found"));
    EXPECT_EQ(bed.number("select count(*) from sluice_dead_letter where queue = 99"), 1);
}

/// As docs/outbox.md shows it.
constexpr const char* kPlainSql = R"(
select sluice_publish('orders', 'A-1', 'OrderPlaced', '{"article":"A-1"}');
)";

TEST(PostgresTicks, other_languages_publish_by_a_function_that_names_the_queues_there_are) {
    TickBed bed;
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
