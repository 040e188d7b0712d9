// Numbering on every server, one tick at a time: what a late commit, a savepoint, a second sequencer, another server
// and a ledger that went back do to it.
#include "sluice/outbox/error.hpp"
#include "sluice/outbox/internal/test_tick_bed.hpp"

namespace sluice::outbox {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class ServerTicks : public ::testing::TestWithParam<db::Dialect> {
protected:
    /// PostgreSQL: the same server on another timeline, as after a promotion; everything else is a restore.
    static std::string become_another_server() {
        if (GetParam() == db::Dialect::mariadb) return "update sluice_tick set identity = '77'";
        return "update sluice_tick set identity = left(identity, length(identity) - 8) || '000000FF'";
    }

    TickBed bed{GetParam()};
};

TEST_P(ServerTicks, a_late_commit_is_numbered_by_the_first_tick_that_sees_it_and_holds_up_nobody) {
    const auto process = bed.process();
    const auto late = bed.open_unit();
    bed.run(late->run(bed.insert_sql("late")));
    bed.insert("early");
    bed.tick_all(*process);
    EXPECT_THAT(process->payloads(), ElementsAre("early"));

    bed.run(late->commit());
    bed.tick_all(*process);

    EXPECT_THAT(process->payloads(), ElementsAre("early", "late"));
    EXPECT_LT(process->ticks[1].tick.highest_id, process->ticks[0].tick.lowest_id) << "its id was given first";
    EXPECT_THAT(bed.log(), ElementsAre("early", "late"));
}

TEST_P(ServerTicks, what_a_savepoint_or_a_rollback_undid_gets_no_number) {
    const auto process = bed.process();
    const auto unit = bed.open_unit();
    bed.run(unit->run(bed.insert_sql("1")));
    bed.run(unit->run("savepoint s"));
    bed.run(unit->run(bed.insert_sql("undone")));
    bed.run(unit->run("rollback to savepoint s"));
    bed.run(unit->run(bed.insert_sql("2")));
    bed.run(unit->commit());
    const auto lost = bed.open_unit();
    bed.run(lost->run(bed.insert_sql("lost")));
    bed.run(lost->rollback());

    bed.tick_all(*process);

    EXPECT_THAT(process->payloads(), ElementsAre("1", "2"));
    EXPECT_THAT(bed.log(), ElementsAre("1", "2"));
}

TEST_P(ServerTicks, payloads_beyond_the_memory_of_a_tick_are_numbered_and_read_back) {
    Settings settings;
    settings.tick_bytes = 10;
    const auto process = bed.process(settings);
    bed.execute("insert into sluice_message(queue, \"key\", type, payload) select 1, 'a', 'Noted', " +
                bed.sql_text.payload("repeat('x', 6) || i") + " from " + bed.sql_text.numbers(5));

    bed.tick_all(*process);

    EXPECT_THAT(process->payloads(), ElementsAre("xxxxxx1", "xxxxxx2"));
    EXPECT_EQ(process->ticks.at(0).tick.count(), 5);
    EXPECT_THAT(bed.log(), SizeIs(5));
}

/// Around the sizes of pages and ticks, with memory for everything, for some of it and for hardly anything.
TEST_P(ServerTicks, a_backlog_of_any_size_is_numbered_whole_and_in_order) {
    std::vector<std::string> expected;
    for (const std::size_t memory : {std::size_t{10}, std::size_t{700}, std::size_t{8} << 20}) {
        Settings settings;
        settings.tick_messages = 500;
        settings.tick_bytes = memory;
        const auto process = bed.process(settings);
        for (const int count : {1, 63, 64, 65, 192, 193, 500, 501, 1'200}) {
            bed.execute("insert into sluice_message(queue, \"key\", type, payload) select 1, 'a', 'Noted', " +
                        bed.sql_text.payload("'' || i") + " from " + bed.sql_text.numbers(count) + " order by i");
            const std::vector<std::string> fresh = counted(1, count);
            expected.insert(expected.end(), fresh.begin(), fresh.end());
            EXPECT_EQ(bed.tick_all(*process), (count + 499) / 500) << count << " with " << memory << " bytes";
        }
    }
    EXPECT_EQ(bed.log(), expected);
}

TEST_P(ServerTicks, of_two_sequencers_one_is_fenced_and_both_see_the_same_ledger) {
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
        co_await connection->execute(bed.insert_sql(std::to_string(i)));
    }
    done = true;
}

db::Task<void> join_all(runtime::TaskScope& scope) {
    co_await scope.join();
}

TEST_P(ServerTicks, two_sequencers_at_the_same_moment_number_every_message_once) {
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

TEST_P(ServerTicks, another_server_raises_the_epoch_and_keeps_the_numbers) {
    auto process = bed.process();
    bed.insert("1");
    bed.tick_all(*process);
    const core::Epoch before = process->ticks[0].tick.epoch;
    bed.execute(become_another_server());

    process = bed.process();
    bed.insert("2");
    bed.tick_all(*process);

    EXPECT_GT(process->ticks.at(0).tick.epoch, before);
    EXPECT_EQ(process->ticks.at(0).tick.first_position.value(), 2);
    bed.insert("3");
    bed.tick_all(*process);
    EXPECT_EQ(process->ticks.at(1).tick.epoch, process->ticks.at(0).tick.epoch) << "raised once";
}

/// Two processes see the new server; the one whose clock runs ahead is fenced.
TEST_P(ServerTicks, a_fenced_tick_leaves_no_epoch_behind) {
    auto ahead = bed.process();
    bed.insert("1");
    bed.tick_all(*ahead);
    bed.execute(become_another_server());
    ahead = bed.process();
    const bool postgres = GetParam() == db::Dialect::postgres;
    const std::string taken = postgres ? "raise unique_violation" : "signal sqlstate '23000' set mysql_errno = 1062";
    for (const std::string& statement : bed.sql_text.trigger("refuse", "before insert on sluice_tick", "", taken))
        bed.execute(statement);
    bed.insert("2");
    bed.tick(*ahead);
    bed.execute(bed.sql_text.drop_trigger("refuse"));
    const auto other = bed.process();
    bed.tick_all(*other);
    bed.execute(
        "update sluice_tick set epoch = (select min(epoch) + 1 from sluice_tick) where n = 2");  // a slower clock

    bed.insert("3");
    bed.tick_all(*ahead);

    EXPECT_THAT(ahead->payloads(), ElementsAre("3"));
}

TEST_P(ServerTicks, a_ledger_that_went_back_is_refused_while_it_is_in_use) {
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

TEST_P(ServerTicks, a_commit_of_this_process_wakes_the_sequencer_whatever_it_polls) {
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

TEST_P(ServerTicks, a_start_waits_for_no_unit_that_has_published) {
    const auto start_and_stop = [this] {
        auto builder = bed.builder();
        builder.queue("orders", lanes(1));
        const std::unique_ptr<Outbox> outbox = bed.run(builder.start());
        bed.run(outbox->stop(std::chrono::seconds(5)));
    };
    start_and_stop();
    const auto open = bed.open_unit();
    bed.run(
        open->run("insert into sluice_message(queue, \"key\", type, payload) values"
                  " ((select number from sluice_queue where name = 'orders'), 'a', 'Noted', " +
                  bed.sql_text.payload("'1'") + ")"));
    const auto begun = std::chrono::steady_clock::now();

    start_and_stop();

    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(20)) << "it waited for the open unit";
    bed.run(open->rollback());
}

TEST_P(ServerTicks, an_unknown_queue_number_becomes_a_dead_letter_and_stops_nothing) {
    const auto process = bed.process();
    bed.execute("insert into sluice_message(queue, \"key\", type, payload) values (99, 'a', 'Noted', 'lost')");
    bed.insert("found");

    bed.tick_all(*process);

    EXPECT_THAT(process->payloads(), ElementsAre("found"));
    EXPECT_EQ(bed.number("select count(*) from sluice_dead_letter where queue = 99"), 1);
}

INSTANTIATE_TEST_SUITE_P(On, ServerTicks, ::testing::ValuesIn(servers()), name_of_server);

}  // namespace
}  // namespace sluice::outbox
