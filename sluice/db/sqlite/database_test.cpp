// The rules of SQLite's group commit, on real files and threads.
#include "sluice/db/sqlite/database.hpp"

#include <filesystem>

#include <gtest/gtest.h>
#include <boost/asio/post.hpp>

#include "sluice/db/sqlite/internal/database_fixture.hpp"
#include "sluice/db/sqlite/internal/engine.hpp"
#include "sluice/db/sqlite/internal/fault_vfs.hpp"

namespace sluice::db::sqlite {
namespace {

using namespace std::chrono_literals;

/// A statement that runs for ever, or for `rows` steps.
std::string counting(const std::string& rows) {
    return "with recursive n(i) as (select 1 union all select i + 1 from n limit " + rows + ") ";
}

struct GroupCommit : DatabaseFixture {
    void SetUp() override {
        DatabaseFixture::SetUp();
        open();
    }
};

TEST_F(GroupCommit, units_that_wait_share_one_commit) {
    on_shard([](GroupCommit& test) -> Task<void> {
        Holder holder(test.shard());
        runtime::TaskScope scope(test.shard(), {});
        scope.spawn("holder", test.hold(holder, 1));
        co_await holder.started.wait();
        const double before = test.groups_committed();
        std::vector<std::string> outcomes(10);
        for (std::size_t i = 0; i < outcomes.size(); ++i) {
            scope.spawn("unit", test.insert(outcomes[i], static_cast<std::int64_t>(10 + i)));
        }
        co_await test.until_waiting(10);
        holder.go_on.notify();
        co_await scope.join();
        EXPECT_EQ(test.groups_committed(), before + 1);
        EXPECT_EQ(outcomes, std::vector<std::string>(10, "ok"));
        const std::string rows = co_await test.rows();
        EXPECT_EQ(rows, "1 10 11 12 13 14 15 16 17 18 19");
    }(*this));
}

TEST_F(GroupCommit, a_group_is_no_larger_than_its_limit) {
    open([](Settings& settings) { settings.group_limit = 3; });
    on_shard([](GroupCommit& test) -> Task<void> {
        Holder holder(test.shard());
        runtime::TaskScope scope(test.shard(), {});
        scope.spawn("holder", test.hold(holder, 1));
        co_await holder.started.wait();
        const double before = test.groups_committed();
        std::vector<std::string> outcomes(5);
        for (std::size_t i = 0; i < outcomes.size(); ++i) {
            scope.spawn("unit", test.insert(outcomes[i], static_cast<std::int64_t>(10 + i)));
        }
        co_await test.until_waiting(5);
        holder.go_on.notify();
        co_await scope.join();
        EXPECT_EQ(test.groups_committed(), before + 2) << "the holder and two, then three";
    }(*this));
}

TEST_F(GroupCommit, a_deferred_key_fails_its_unit_alone) {
    on_shard([](GroupCommit& test) -> Task<void> {
        co_await test.write("create table child(p references t(a) deferrable initially deferred)");
        Holder holder(test.shard());
        runtime::TaskScope scope(test.shard(), {});
        scope.spawn("holder", test.hold(holder, 1));
        co_await holder.started.wait();
        std::string orphan;
        std::string later;
        const auto body = [](UnitOfWork& unit) -> Task<void> {
            co_await unit.execute("insert into child values (99)");
        };
        scope.spawn("orphan", note(orphan, test.database->transaction(kDefaults, body)));
        scope.spawn("later", test.insert(later, 2));
        co_await test.until_waiting(2);
        holder.go_on.notify();
        co_await scope.join();
        EXPECT_EQ(orphan, "constraint");
        EXPECT_EQ(holder.outcome, "ok");
        EXPECT_EQ(later, "ok");
        const std::string rows = co_await test.rows();
        EXPECT_EQ(rows, "1 2");
    }(*this));
}

Task<void> lose_group(GroupCommit& test, Task<void> culprit, std::string& culprits_outcome, std::string& neighbours) {
    DatabaseFixture::Holder holder(test.shard());
    runtime::TaskScope scope(test.shard(), {});
    scope.spawn("holder", test.hold(holder, 1));
    co_await holder.started.wait();
    std::string before;
    std::string after;
    scope.spawn("before", test.insert(before, 2));
    scope.spawn("culprit", DatabaseFixture::note(culprits_outcome, std::move(culprit)));
    scope.spawn("after", test.insert(after, 3));
    co_await test.until_waiting(3);
    holder.go_on.notify();
    co_await scope.join();
    neighbours = holder.outcome + " " + before + " " + after;
}

TEST_F(GroupCommit, a_statement_that_rolls_the_transaction_back_costs_those_before_it_their_try) {
    on_shard([](GroupCommit& test) -> Task<void> {
        const auto body = [](UnitOfWork& unit) -> Task<void> {
            co_await unit.execute("insert or rollback into t(a) values (1)");
        };
        std::string culprit;
        std::string neighbours;
        co_await lose_group(test, test.database->transaction(kDefaults, body), culprit, neighbours);
        EXPECT_EQ(culprit, "conflict");
        EXPECT_EQ(neighbours, "serialization serialization ok");
        const std::string rows = co_await test.rows();
        EXPECT_EQ(rows, "3");
    }(*this));
}

TEST_F(GroupCommit, a_unit_whose_group_was_lost_runs_again_if_it_may) {
    on_shard([](GroupCommit& test) -> Task<void> {
        Holder holder(test.shard());
        runtime::TaskScope scope(test.shard(), {});
        scope.spawn("holder", test.hold(holder, 1));
        co_await holder.started.wait();
        TransactionOptions retrying;
        retrying.retry_serialization = 3;
        std::string victim;
        std::string culprit;
        const auto body = [](UnitOfWork& unit) -> Task<void> {
            co_await unit.execute("insert or rollback into t(a) values (1)");
        };
        scope.spawn("victim", test.insert(victim, 2, retrying));
        scope.spawn("culprit", note(culprit, test.database->transaction(kDefaults, body)));
        co_await test.until_waiting(2);
        holder.go_on.notify();
        co_await scope.join();
        EXPECT_EQ(victim, "ok");
        EXPECT_EQ(holder.outcome, "serialization");
    }(*this));
}

TEST_F(GroupCommit, a_statement_that_is_stuck_is_interrupted_at_the_groups_cost) {
    open([](Settings& settings) { settings.stuck_limit = 50ms; });
    on_shard([](GroupCommit& test) -> Task<void> {
        const auto body = [](UnitOfWork& unit) -> Task<void> {
            co_await unit.execute("insert into t(a) " + counting("-1") +
                                  "select i + 1000 from n where i < 0 or i % 2 = 0");
        };
        std::string culprit;
        std::string neighbours;
        co_await lose_group(test, test.database->transaction(kDefaults, body), culprit, neighbours);
        EXPECT_EQ(culprit, "timeout");
        EXPECT_EQ(neighbours, "serialization serialization ok");
        const std::string rows = co_await test.rows();
        EXPECT_EQ(rows, "3");
    }(*this));
}

TEST_F(GroupCommit, a_deadline_interrupts_nothing) {
    on_shard([](GroupCommit& test) -> Task<void> {
        const auto body = [](UnitOfWork& unit) -> Task<void> {
            co_await unit.execute("insert into t(a) " + counting("300000") +
                                  "select i + 1000 from n where i % 100000 = 0");
        };
        TransactionOptions options;
        options.deadline = 5ms;
        std::string culprit;
        std::string neighbours;
        co_await lose_group(test, test.database->transaction(options, body), culprit, neighbours);
        EXPECT_EQ(culprit, "timeout");
        EXPECT_EQ(neighbours, "ok ok ok");
        const std::string rows = co_await test.rows();
        EXPECT_EQ(rows, "1 2 3");
    }(*this));
}

TEST_F(GroupCommit, a_unit_that_holds_the_writer_is_rolled_back_and_told_at_its_next_statement) {
    open([](Settings& settings) { settings.hold_limit = 30ms; });
    on_shard([](GroupCommit& test) -> Task<void> {
        Holder holder(test.shard());
        runtime::TaskScope scope(test.shard(), {});
        scope.spawn("holder", test.hold(holder, 1));
        co_await holder.started.wait();
        std::string other;
        co_await test.insert(other, 2);
        EXPECT_EQ(other, "ok") << "it did not wait for the holder";
        holder.go_on.notify();
        co_await scope.join();
        EXPECT_EQ(holder.outcome, "timeout");
        const std::string rows = co_await test.rows();
        EXPECT_EQ(rows, "2");
    }(*this));
}

TEST_F(GroupCommit, a_cancelled_unit_frees_the_writer_at_once) {
    open([](Settings& settings) { settings.hold_limit = 1h; });
    on_shard([](GroupCommit& test) -> Task<void> {
        Holder holder(test.shard());
        runtime::TaskScope scope(test.shard(), {});
        scope.spawn("holder", test.hold(holder, 1));
        co_await holder.started.wait();
        scope.cancel();
        std::string other;
        co_await test.insert(other, 2);
        co_await scope.join();
        EXPECT_EQ(other, "ok");
        const std::string rows = co_await test.rows();
        EXPECT_EQ(rows, "2");
    }(*this));
}

TEST_F(GroupCommit, a_cancelled_unit_that_waits_leaves_the_queue_at_once) {
    open([](Settings& settings) { settings.hold_limit = 1h; });
    on_shard([](GroupCommit& test) -> Task<void> {
        Holder holder(test.shard());
        runtime::TaskScope holding(test.shard(), {});
        holding.spawn("holder", test.hold(holder, 1));
        co_await holder.started.wait();
        runtime::TaskScope waiter(test.shard(), {});
        std::string outcome = "cancelled";
        waiter.spawn("waiter", test.insert(outcome, 2));
        co_await test.until_waiting(1);
        waiter.cancel();
        co_await waiter.join();  // while the writer is held
        EXPECT_EQ(outcome, "cancelled");
        holder.go_on.notify();
        co_await holding.join();
        const std::string rows = co_await test.rows();
        EXPECT_EQ(rows, "1");
    }(*this));
}

TEST_F(GroupCommit, a_deadline_passes_while_the_unit_waits) {
    open([](Settings& settings) { settings.hold_limit = 1h; });
    on_shard([](GroupCommit& test) -> Task<void> {
        Holder holder(test.shard());
        runtime::TaskScope scope(test.shard(), {});
        scope.spawn("holder", test.hold(holder, 1));
        co_await holder.started.wait();
        TransactionOptions options;
        options.deadline = 5ms;
        std::string outcome;
        co_await test.insert(outcome, 2, options);
        EXPECT_EQ(outcome, "timeout");
        holder.go_on.notify();
        co_await scope.join();
        const std::string rows = co_await test.rows();
        EXPECT_EQ(rows, "1");
    }(*this));
}

TEST_F(GroupCommit, a_transaction_that_is_dropped_is_rolled_back) {
    open([](Settings& settings) { settings.hold_limit = 1h; });
    on_shard([](GroupCommit& test) -> Task<void> {
        auto transaction = co_await test.database->begin(kDefaults);
        co_await transaction->execute("insert into t(a) values (1)");
        transaction.reset();
        std::string outcome;
        co_await test.insert(outcome, 2);
        const std::string rows = co_await test.rows();
        EXPECT_EQ(rows, "2");
    }(*this));
}

TEST_F(GroupCommit, no_more_units_wait_than_the_limit_allows) {
    open([](Settings& settings) { settings.queue_limit = 2; });
    on_shard([](GroupCommit& test) -> Task<void> {
        Holder holder(test.shard());
        runtime::TaskScope scope(test.shard(), {});
        scope.spawn("holder", test.hold(holder, 1));
        co_await holder.started.wait();
        std::string first;
        std::string second;
        std::string third;
        scope.spawn("first", test.insert(first, 2));
        scope.spawn("second", test.insert(second, 3));
        co_await test.until_waiting(2);
        co_await test.insert(third, 4);
        EXPECT_EQ(third, "pool_exhausted");
        holder.go_on.notify();
        co_await scope.join();
        co_await test.insert(third, 4);
        EXPECT_EQ(third, "ok");
    }(*this));
}

TEST_F(GroupCommit, while_another_process_writes_units_fail_as_retryable_and_later_ones_succeed) {
    open([](Settings& settings) { settings.busy_timeout = 30ms; });
    EngineOptions options;
    options.source = "other";
    options.path = file();
    Engine other(options);
    other.control(Control::begin_immediate);
    on_shard([](GroupCommit& test, Engine& engine) -> Task<void> {
        std::string outcome;
        co_await test.insert(outcome, 1);
        EXPECT_EQ(outcome, "serialization");
        engine.control(Control::rollback);
        co_await test.insert(outcome, 1);
        EXPECT_EQ(outcome, "ok");
    }(*this, other));
}

TEST_F(GroupCommit, a_closed_source_refuses_work_and_leaves_one_file) {
    on_shard([](GroupCommit& test) -> Task<void> {
        std::string outcome;
        co_await test.insert(outcome, 1);
        co_await test.database->close();
        co_await test.database->close();
        co_await test.insert(outcome, 2);
        EXPECT_EQ(outcome, "connection");
        EXPECT_FALSE(std::filesystem::exists(test.file() + "-wal"));
    }(*this));
}

Task<void> begin_nothing(Database& database) {
    co_await database.begin(kDefaults);
}

TEST_F(GroupCommit, closing_waits_for_what_is_open) {
    on_shard([](GroupCommit& test) -> Task<void> {
        Holder holder(test.shard());
        runtime::TaskScope scope(test.shard(), {});
        scope.spawn("holder", test.hold(holder, 1));
        co_await holder.started.wait();
        std::string order;
        scope.spawn("close", [](GroupCommit& closing, std::string& log) -> Task<void> {
            co_await closing.database->close();
            log += "closed";
        }(test, order));
        std::string late;
        while (late != "connection") {
            co_await boost::asio::post(runtime::use_task);
            co_await note(late, begin_nothing(*test.database));
        }
        order += "released ";
        holder.go_on.notify();
        co_await scope.join();
        EXPECT_EQ(order, "released closed");
        EXPECT_EQ(holder.outcome, "ok");
    }(*this));
}

struct CommitFailures : DatabaseFixture {
    void SetUp() override {
        DatabaseFixture::SetUp();
        open();
    }
    void TearDown() override {
        DatabaseFixture::TearDown();
        faults.reset();
    }
    std::unique_ptr<FaultVfs> faults = std::make_unique<FaultVfs>();
};

Task<void> insert_with_hooks(CommitFailures& test, std::string& outcome, std::string& hooks) {
    const auto body = [&hooks](UnitOfWork& unit) -> Task<void> {
        unit.after_commit([&hooks] { hooks += "committed "; });
        unit.after_rollback([&hooks] { hooks += "rolled back "; });
        co_await unit.execute("insert into t(a) values (1)");
    };
    co_await DatabaseFixture::note(outcome, test.database->transaction(kDefaults, body));
}

TEST_F(CommitFailures, of_a_full_disk_commit_nothing_and_say_so) {
    on_shard([](CommitFailures& test) -> Task<void> {
        std::string outcome;
        std::string hooks;
        test.faults->fail_next_write(SQLITE_FULL);
        co_await insert_with_hooks(test, outcome, hooks);
        EXPECT_EQ(outcome, "other");
        EXPECT_EQ(hooks, "rolled back ");
        const std::string rows = co_await test.rows();
        EXPECT_EQ(rows, "");
        co_await insert_with_hooks(test, outcome, hooks);
        EXPECT_EQ(outcome, "ok");
    }(*this));
}

TEST_F(CommitFailures, of_the_synchronisation_leave_the_outcome_unknown) {
    on_shard([](CommitFailures& test) -> Task<void> {
        std::string outcome;
        std::string hooks;
        test.faults->fail_next_sync(SQLITE_IOERR_FSYNC);
        co_await insert_with_hooks(test, outcome, hooks);
        EXPECT_EQ(outcome, "outcome_unknown");
        EXPECT_EQ(hooks, "");
        const std::string rows = co_await test.rows();
        EXPECT_EQ(rows, "");
        co_await insert_with_hooks(test, outcome, hooks);
        EXPECT_EQ(outcome, "ok");
    }(*this));
}

struct BadSetting {
    const char* name;
    void (*change)(Settings&);
};

class SqliteSettings : public ::testing::TestWithParam<BadSetting> {};

TEST_P(SqliteSettings, that_cannot_work_are_refused_by_name) {
    core::Metrics metrics;
    Settings settings;
    settings.name = "shop";
    settings.path = "unused.sqlite3";
    GetParam().change(settings);
    try {
        static_cast<void>(Database::open(settings, {}, metrics));
        FAIL() << "opened";
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::config);
        EXPECT_NE(std::string_view(error.what()).find(GetParam().name), std::string_view::npos) << error.what();
    }
}

INSTANTIATE_TEST_SUITE_P(Each, SqliteSettings,
                         ::testing::Values(BadSetting{"name", [](Settings& s) { s.name.clear(); }},
                                           BadSetting{"path", [](Settings& s) { s.path = ":memory:"; }},
                                           BadSetting{"readers", [](Settings& s) { s.readers = 0; }},
                                           BadSetting{"readers", [](Settings& s) { s.readers = 65; }},
                                           BadSetting{"group_limit", [](Settings& s) { s.group_limit = 0; }},
                                           BadSetting{"queue_limit", [](Settings& s) { s.queue_limit = 0; }},
                                           BadSetting{"busy_timeout", [](Settings& s) { s.busy_timeout = -1ms; }},
                                           BadSetting{"hold_limit", [](Settings& s) { s.hold_limit = 0ms; }},
                                           BadSetting{"stuck_limit", [](Settings& s) { s.stuck_limit = 0ms; }},
                                           BadSetting{"reader_limit", [](Settings& s) { s.reader_limit = 0ms; }}));

}  // namespace
}  // namespace sluice::db::sqlite
