// What several units do to one projection at the same time. SQLite lets them through one after another; a server does
// not.
#include <algorithm>
#include <chrono>
#include <limits>
#include <set>

#include <gtest/gtest.h>

#include "sluice/db/error.hpp"
#include "sluice/projection/internal/test_world.hpp"
#include "sluice/projection/test_journal_model.hpp"
#include "sluice/runtime/scope.hpp"

namespace sluice::projection {
namespace {

using namespace sample;

const outbox::Queue<StockEvent>& lane_queue() {
    static const outbox::Queue<StockEvent> queue("stock", outbox::lanes(4),
                                                 [](const StockEvent& e) { return StockLevel{}.key(e); });
    return queue;
}

/// What stands between Poison and success.
bool g_interleaved_is_mended = false;

struct LaterMended {
    using Event = Journal::Event;
    using State = JournalDelta;
    static constexpr std::string_view name = "later_mended";
    static constexpr int state_version = 1;
    std::vector<std::string> key(const Event& event) const { return Journal{}.key(event); }
    void apply(State& state, const Event& event) const {
        if (std::holds_alternative<Poison>(event) && !g_interleaved_is_mended) throw std::runtime_error("poison");
        state.value += 1;
    }
};

class Interleaving : public ::testing::Test {
protected:
    Interleaving() { g_interleaved_is_mended = false; }

    void begin_by_lane() {
        world.make().add<StockLevel>(lane_queue(), {.mode = Mode::by_lane});
        world.start();
    }
    void receive(int events, int articles) {
        for (int i = 0; i < events; ++i)
            world.log.append(lane_queue(), StockEvent(StockReceived{"article-" + std::to_string(i % articles), 1}));
    }
    /// All that the lane has, as the outbox does it: what was undone comes again.
    db::Task<void> drain_lane(std::uint16_t lane, std::size_t size) {
        bool more = true;
        while (more) {
            try {
                more = co_await world.deliver_lane(0, core::LaneId(lane), size);
            } catch (const Error& e) {
                if (e.kind() != ErrorKind::conflict) throw;
                ++conflicts;
            } catch (const db::Error& e) {
                if (e.kind() != db::ErrorKind::serialization) throw;
            }
        }
    }
    db::Task<void> give(std::string article, std::int64_t quantity) {
        auto body = [&](db::UnitOfWork& unit) -> db::Task<void> {
            const StockReceived received{article, quantity};
            static_cast<void>(co_await world.projections().apply_event<StockLevel>(unit, received));
        };
        db::TransactionOptions options;
        options.retry_serialization = 100;
        options.deadline = std::chrono::seconds(30);  // who waits for a lock that is not to be there fails
        co_await world.source().transaction(options, body);
    }
    db::Task<void> give_often(std::string article, int times) {
        for (int i = 0; i < times; ++i)
            co_await give(article, 1);
    }
    [[nodiscard]] bool units_meet() { return world.source().dialect() != db::Dialect::sqlite; }
    /// Until `done`, or somebody waits to be alone with the projection. SQLite's units cannot get so far: they wait for
    /// each other's end before they begin.
    db::Task<void> until_somebody_waits(const bool& done) {
        // MariaDB shows locks to administrators only; the statement cannot be under way for another reason.
        const std::string waiting = world.source().dialect() == db::Dialect::postgres
                                        ? "select count(*) from pg_locks where locktype = 'advisory' and not granted"
                                        : "select count(*) from information_schema.processlist where db = database() "
                                          "and info like 'insert into sluice_projection_hold%'";
        while (!done && units_meet()) {
            const auto connection = co_await world.source().acquire(db::AccessIntent::read);
            const auto rows = co_await connection->query(waiting);
            if (rows.rows.front().get<std::int64_t>(0) > 0) break;
        }
    }
    /// Runs `task` from within a unit, to its end; on SQLite behind that unit.
    db::Task<void> beside(runtime::TaskScope& scope, db::Task<void> task) {
        if (units_meet())
            co_await std::move(task);
        else
            scope.spawn("behind the unit", std::move(task));
    }
    template <class T>
    static db::Task<void> note(bool& done, db::Task<T> task) {
        static_cast<void>(co_await std::move(task));
        done = true;
    }
    void finish(runtime::TaskScope& scope) {
        world.run(scope.join());
        EXPECT_EQ(scope.failed(), 0u);
    }

    World world;
    int conflicts = 0;
};

TEST_F(Interleaving, lanes_under_way_at_once_lose_nothing_while_the_projection_is_rebuilt) {
    begin_by_lane();
    receive(2'000, 50);
    runtime::TaskScope scope(world.shard(), core::Logger());
    for (std::uint16_t lane = 0; lane < world.log.lanes(); ++lane)
        scope.spawn("lane", drain_lane(lane, 20));
    const auto rebuild_often = [this]() -> db::Task<void> {
        for (int i = 0; i < 5; ++i)
            static_cast<void>(co_await world.projections().rebuild("stock_level"));
    };
    scope.spawn("rebuilds", rebuild_often());
    finish(scope);
    EXPECT_EQ(conflicts, 0);
    EXPECT_EQ(world.number("select cast(sum(version) as integer) from sluice_projection_state"), 2'000);
    EXPECT_EQ(world.number("select count(*) from sluice_projection"), 1);
    EXPECT_EQ(world.number("select cast(sum(sequence) as integer) from sluice_projection_lane"), 2'000);
    EXPECT_TRUE(world.run(world.projections().verify("stock_level")).equal());
}

TEST_F(Interleaving, batch_and_units_that_write_one_key_lose_no_event) {
    begin_by_lane();
    receive(200, 1);
    runtime::TaskScope scope(world.shard(), core::Logger());
    for (std::uint16_t lane = 0; lane < world.log.lanes(); ++lane)
        scope.spawn("lane", drain_lane(lane, 5));
    for (int i = 0; i < 4; ++i)
        scope.spawn("unit", give_often("article-0", 25));
    finish(scope);
    const auto level = world.run(world.projections().read_required<StockLevel>("article-0"));
    EXPECT_EQ(level.version.value(), 300);
    EXPECT_EQ(level.state.on_hand, 300);
}

TEST_F(Interleaving, units_that_give_one_unseen_key_its_first_event_lose_none) {
    begin_by_lane();
    for (int round = 0; round < 10; ++round) {
        const std::string article = "new-" + std::to_string(round);
        runtime::TaskScope scope(world.shard(), core::Logger());
        for (int i = 0; i < 6; ++i)
            scope.spawn("unit", give(article, 1));
        finish(scope);
        const auto level = world.run(world.projections().read_required<StockLevel>(article));
        EXPECT_EQ(level.version.value(), 6);
        EXPECT_EQ(level.state.on_hand, 6);
        const auto deltas = world.run(
            world.projections().range_raw("stock_level", article, level.epoch, core::Version(0), core::Version(6)));
        EXPECT_TRUE(deltas.has_value());
    }
}

TEST_F(Interleaving, units_that_give_different_keys_their_events_do_not_wait_for_each_other) {
    world.make().add<StockLevel>(lane_queue(), {.mode = Mode::by_lane, .delta_log = DeltaLog{.versions = 4}});
    world.start();
    // Beyond the log's versions, so that each further event removes one of the key's.
    for (const char* const known : {"b", "d"})
        world.run(give_often(known, 10));
    runtime::TaskScope scope(world.shard(), core::Logger());
    const auto give_neighbours = [this]() -> db::Task<void> {
        const std::string articles = "abce";
        for (const char article : articles)
            co_await give(std::string(1, article), 1);
    };
    auto body = [&](db::UnitOfWork& unit) -> db::Task<void> {
        const StockReceived unseen{"bb", 1};
        static_cast<void>(co_await world.projections().apply_event<StockLevel>(unit, unseen));
        const StockReceived known{"d", 1};
        static_cast<void>(co_await world.projections().apply_event<StockLevel>(unit, known));
        co_await beside(scope, give_neighbours());
    };
    world.run(world.source().transaction({}, body));
    finish(scope);
    for (const char* const unseen : {"a", "bb", "c", "e"})
        EXPECT_EQ(world.run(world.projections().read_raw("stock_level", unseen)).version.value(), 1) << unseen;
    for (const char* const known : {"b", "d"})
        EXPECT_EQ(world.run(world.projections().read_raw("stock_level", known)).version.value(), 11) << known;
    EXPECT_EQ(world.number("select count(*) from sluice_projection_delta"), 4 + 4 + 4);
}

TEST_F(Interleaving, unit_that_began_to_read_before_a_rebuild_switched_runs_again) {
    begin_by_lane();
    receive(10, 1);
    world.deliver();
    runtime::TaskScope scope(world.shard(), core::Logger());
    const auto rebuild = [this]() -> db::Task<void> {
        static_cast<void>(co_await world.projections().rebuild("stock_level"));
    };
    int runs = 0;
    auto body = [&](db::UnitOfWork& unit) -> db::Task<void> {
        static_cast<void>(co_await unit.query("select count(*) from sluice_projection"));
        if (++runs == 1) co_await beside(scope, rebuild());
        const StockReceived received{"article-0", 1};
        static_cast<void>(co_await world.projections().apply_event<StockLevel>(unit, received));
    };
    db::TransactionOptions options;
    options.isolation = db::Isolation::repeatable_read;
    options.retry_serialization = 1;
    world.run(world.source().transaction(options, body));
    finish(scope);
    EXPECT_EQ(runs, units_meet() ? 2 : 1);
    EXPECT_EQ(world.number("select count(*) from sluice_projection where status = 'active'"), 1);
    // Behind the unit, a rebuild knows of nothing but the log.
    EXPECT_EQ(world.run(world.projections().read_raw("stock_level", "article-0")).version.value(),
              units_meet() ? 11 : 10);
}

TEST_F(Interleaving, event_that_is_parked_while_its_key_is_retried_is_not_left_behind) {
    static const outbox::Queue<Journal::Event> queue("journal", outbox::lanes(1),
                                                     [](const Journal::Event&) { return std::string("any"); });
    world.make().add<LaterMended>(queue);
    world.start();
    world.log.append(queue, Journal::Event(Poison{"a"}));
    world.deliver();
    g_interleaved_is_mended = true;
    world.log.append(queue, Journal::Event(Add{"a", 1}));
    bool retried = false;
    runtime::TaskScope scope(world.shard(), core::Logger());
    const auto retry_and_wait = [&]() -> db::Task<void> {
        scope.spawn("retry", note(retried, world.projections().retry("later_mended", "a")));
        co_await until_somebody_waits(retried);
    };
    EXPECT_TRUE(world.run(world.deliver_lane(0, core::LaneId(0), 100, retry_and_wait)));
    finish(scope);
    EXPECT_TRUE(world.run(world.projections().status("later_mended")).parked.empty());
    EXPECT_EQ(world.number("select count(*) from sluice_projection_parked"), 0);
    EXPECT_EQ(world.run(world.projections().read_required<LaterMended>("a")).version.value(), 2);
}

TEST_F(Interleaving, switch_waits_for_a_batch_that_folds_into_the_old_generation) {
    begin_by_lane();
    receive(10, 1);
    runtime::TaskScope scope(world.shard(), core::Logger());
    bool rebuilt = false;
    world.log.heard = core::Position(0);  // as in a process that does not run the subscription
    const auto rebuild_and_wait = [&]() -> db::Task<void> {
        scope.spawn("rebuild", note(rebuilt, world.projections().rebuild("stock_level")));
        co_await until_somebody_waits(rebuilt);
    };
    for (std::uint16_t lane = 0; lane < world.log.lanes(); ++lane)
        static_cast<void>(world.run(world.deliver_lane(0, core::LaneId(lane), 100, rebuild_and_wait)));
    finish(scope);
    world.log.heard = core::Position(std::numeric_limits<std::int64_t>::max());
    EXPECT_EQ(world.run(world.projections().read_raw("stock_level", "article-0")).version.value(), 10);
    receive(1, 1);
    world.deliver();
    EXPECT_EQ(world.run(world.projections().read_raw("stock_level", "article-0")).version.value(), 11);
    EXPECT_TRUE(world.run(world.projections().verify("stock_level")).equal());
}

TEST_F(Interleaving, rebuild_takes_in_what_another_process_has_folded_beyond_this_ones_head) {
    begin_by_lane();
    receive(10, 1);
    world.deliver();
    // This process has heard of less than is folded.
    world.log.heard = core::Position(4);
    static_cast<void>(world.run(world.projections().rebuild("stock_level")));
    EXPECT_EQ(world.run(world.projections().read_required<StockLevel>("article-0")).version.value(), 10);
    static_cast<void>(world.run(world.projections().rebuild_key_from_log("stock_level", "article-0")));
    EXPECT_EQ(world.run(world.projections().read_required<StockLevel>("article-0")).version.value(), 10);
}

TEST_F(Interleaving, lanes_that_see_a_new_ledger_epoch_together_raise_the_epoch_once) {
    begin_by_lane();
    receive(40, 20);
    world.deliver();
    const core::Epoch before = world.run(world.projections().read_raw("stock_level", "article-0")).epoch;
    world.log.epoch = core::Epoch(2);
    receive(40, 20);
    runtime::TaskScope scope(world.shard(), core::Logger());
    for (std::uint16_t lane = 0; lane < world.log.lanes(); ++lane)
        scope.spawn("lane", drain_lane(lane, 3));
    finish(scope);
    const core::Epoch after = world.run(world.projections().read_raw("stock_level", "article-0")).epoch;
    EXPECT_GT(after, before);
    EXPECT_EQ(conflicts, 0);
    std::set<core::Epoch> told;
    for (const auto& batch : world.sink->batches)
        for (const KeyChange& change : batch->changes)
            told.insert(change.epoch);
    EXPECT_EQ(told, (std::set<core::Epoch>{before, after}));
}

TEST_F(Interleaving, programs_that_start_together_make_one_first_generation) {
    world.make().add<StockLevel>(lane_queue());
    core::Metrics metrics;
    Projections other(world.shared_source(), core::Logger(), metrics, {}, world.clock);
    other.add<StockLevel>(lane_queue());
    runtime::TaskScope scope(world.shard(), core::Logger());
    scope.spawn("one", world.projections().prepare());
    scope.spawn("other", other.prepare());
    finish(scope);
    EXPECT_EQ(world.number("select count(*) from sluice_projection"), 1);
}

TEST_F(Interleaving, generation_that_another_start_has_abandoned_gets_no_more_rows) {
    begin_by_lane();
    receive(300, 100);
    world.deliver();
    core::Metrics metrics;
    Projections other(world.shared_source(), core::Logger(), metrics, {}, world.clock);
    other.add<StockLevel>(lane_queue(), {.mode = Mode::by_lane});
    world.log.before_read = [&]() -> db::Task<void> {
        world.log.before_read = nullptr;
        co_await other.prepare();
    };
    try {
        static_cast<void>(world.run(world.projections().rebuild("stock_level")));
        FAIL() << "a generation that was removed became the active one";
    } catch (const Error& e) {
        EXPECT_EQ(e.kind(), ErrorKind::conflict);
    }
    EXPECT_EQ(world.number("select count(distinct generation) from sluice_projection_state"), 1);
    EXPECT_TRUE(world.run(world.projections().verify("stock_level")).equal());
}

}  // namespace
}  // namespace sluice::projection
