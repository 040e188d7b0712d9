#include "sluice/db/unit_of_work.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>

#include "sluice/core/log.hpp"
#include "sluice/db/data_source.hpp"
#include "sluice/db/error.hpp"
#include "sluice/db/internal/fake_source.hpp"
#include "sluice/runtime/run_task.hpp"
#include "sluice/runtime/scope.hpp"
#include "sluice/runtime/wake.hpp"

namespace sluice::db {
namespace {

using internal::FakeSource;

struct UnitOfWorkTest : ::testing::Test {
    void run(TransactionOptions options, std::function<Task<void>(UnitOfWork&)> body) {
        runtime::run_task(shard, source.transaction(options, std::move(body)));
    }
    void run(std::function<Task<void>(UnitOfWork&)> body) { run({}, std::move(body)); }
    /// The error's text, or "none".
    std::string error_of(std::function<Task<void>(UnitOfWork&)> body, TransactionOptions options = {}) {
        try {
            run(options, std::move(body));
        } catch (const std::exception& error) {
            return error.what();
        }
        return "none";
    }

    runtime::Shard shard{0, core::real_clock()};
    FakeSource source;
    std::string hooks;
};

/// Collects words and flushes one statement per word; shows when it is called.
class Words final : public UnitAttachment {
public:
    explicit Words(std::string& log) : log_(log) {}
    void mark() override { marks_.push_back(words_.size()); }
    void rollback_to_mark() override {
        words_.resize(marks_.back());
        marks_.pop_back();
    }
    void release_mark() override { marks_.pop_back(); }
    std::vector<Statement> flush(UnitOfWork&) override {
        std::vector<Statement> statements;
        for (const std::string& word : words_)
            statements.push_back(statement(word));
        return statements;
    }
    void flushed(std::span<const Result> results) noexcept override {
        for (const Result& result : results)
            log_ += fmt::format("flushed:{} ", result.affected);
    }
    void add(std::string word) { words_.push_back(std::move(word)); }

private:
    std::string& log_;
    std::vector<std::string> words_;
    std::vector<std::size_t> marks_;
};

Task<void> nothing(UnitOfWork&) {
    co_return;
}

Task<void> insert_one(UnitOfWork& unit) {
    co_await unit.execute("insert");
}

Task<void> fail_after_insert(UnitOfWork& unit) {
    co_await unit.execute("insert");
    throw std::runtime_error("body failed");
}

TEST_F(UnitOfWorkTest, the_line_of_the_caller_reaches_the_driver_with_and_without_a_deadline) {
    TransactionOptions limited;
    limited.deadline = std::chrono::seconds(60);
    for (const TransactionOptions& options : {TransactionOptions(), limited}) {
        const auto here = std::source_location::current();
        runtime::run_task(shard, source.transaction(options, nothing));
        EXPECT_EQ(source.begun_at, here.line() + 1);
        const auto seven = [](UnitOfWork&) -> Task<int> { co_return 7; };
        runtime::run_task(shard, source.transaction(options, seven));
        EXPECT_EQ(source.begun_at, here.line() + 4);
    }
}

TEST_F(UnitOfWorkTest, commits_when_the_body_returns) {
    run(insert_one);
    EXPECT_EQ(source.log, "begin [insert] commit[] ");
}

TEST_F(UnitOfWorkTest, rolls_back_and_rethrows_the_original_when_the_body_throws) {
    EXPECT_EQ(error_of(fail_after_insert), "body failed");
    EXPECT_EQ(source.log, "begin [insert] rollback ");
}

TEST_F(UnitOfWorkTest, answers_what_the_body_returns) {
    const auto body = [](UnitOfWork& unit) -> Task<std::uint64_t> { return unit.execute("insert"); };
    EXPECT_EQ(runtime::run_task(shard, source.transaction({}, body)), 1U);
}

TEST_F(UnitOfWorkTest, a_savepoint_travels_with_the_statements_around_it) {
    run([](UnitOfWork& unit) -> Task<void> {
        co_await unit.savepoint(insert_one);
        co_await unit.execute("after");
    });
    EXPECT_EQ(source.log,
              "begin [SAVEPOINT sluice_savepoint_1, insert] [RELEASE SAVEPOINT sluice_savepoint_1, after] commit[] ");
}

TEST_F(UnitOfWorkTest, an_unused_savepoint_costs_nothing) {
    run([](UnitOfWork& unit) -> Task<void> {
        co_await unit.savepoint(nothing);
        co_await unit.savepoint([](UnitOfWork& inner) -> Task<void> { return inner.savepoint(nothing); });
    });
    EXPECT_EQ(source.log, "begin commit[] ");
}

TEST_F(UnitOfWorkTest, a_failed_savepoint_is_undone_and_the_unit_goes_on) {
    run([](UnitOfWork& unit) -> Task<void> {
        bool caught = false;
        try {
            co_await unit.savepoint(fail_after_insert);
        } catch (const std::runtime_error&) {
            caught = true;
        }
        EXPECT_TRUE(caught);
        co_await unit.execute("after");
    });
    EXPECT_EQ(
        source.log,
        "begin [SAVEPOINT sluice_savepoint_1, insert] [ROLLBACK TO SAVEPOINT sluice_savepoint_1, RELEASE SAVEPOINT "
        "sluice_savepoint_1, after] commit[] ");
}

TEST_F(UnitOfWorkTest, savepoints_nest) {
    run([](UnitOfWork& unit) -> Task<void> {
        co_await unit.savepoint([](UnitOfWork& outer) -> Task<void> {
            co_await outer.execute("a");
            try {
                co_await outer.savepoint(fail_after_insert);
            } catch (const std::runtime_error&) {
                EXPECT_EQ(outer.source(), "fake");
            }
            co_await outer.execute("b");
        });
    });
    EXPECT_EQ(
        source.log,
        "begin [SAVEPOINT sluice_savepoint_1, a] [SAVEPOINT sluice_savepoint_2, insert] [ROLLBACK TO SAVEPOINT "
        "sluice_savepoint_2, RELEASE SAVEPOINT sluice_savepoint_2, b] commit[RELEASE SAVEPOINT sluice_savepoint_1] ");
}

TEST_F(UnitOfWorkTest, attachments_are_flushed_with_the_commit_and_get_their_own_results) {
    run([this](UnitOfWork& unit) -> Task<void> {
        unit.attachment<Words>(hooks).add("one");
        unit.attachment<Words>(hooks).add("two");
        unit.after_commit([this] { hooks += "after "; });
        return unit.savepoint(insert_one);
    });
    EXPECT_EQ(source.log,
              "begin [SAVEPOINT sluice_savepoint_1, insert] commit[RELEASE SAVEPOINT sluice_savepoint_1, one, two] ");
    EXPECT_EQ(hooks, "flushed:1 flushed:1 after ");
}

Task<void> add_and_fail(UnitOfWork& unit, std::string& hooks) {
    unit.attachment<Words>(hooks).add("gone");
    unit.after_commit([&hooks] { hooks += "gone "; });
    unit.after_rollback([&hooks] { hooks += "gone "; });
    unit.before_commit([&hooks](UnitOfWork&) -> Task<void> {
        hooks += "gone ";
        co_return;
    });
    throw std::runtime_error("inner");
}

TEST_F(UnitOfWorkTest, a_failed_savepoint_takes_back_attachments_and_hooks) {
    run([this](UnitOfWork& unit) -> Task<void> {
        for (int i = 0; i < 2; ++i) {  // an attachment made inside, then one made before
            try {
                co_await unit.savepoint([this](UnitOfWork& inner) { return add_and_fail(inner, hooks); });
            } catch (const std::runtime_error&) {
                unit.attachment<Words>(hooks).add("kept");
            }
        }
        unit.after_commit([this] { hooks += "kept "; });
    });
    EXPECT_EQ(source.log, "begin commit[kept, kept] ");
    EXPECT_EQ(hooks, "flushed:1 flushed:1 kept ");
}

TEST_F(UnitOfWorkTest, hooks_before_commit_run_in_order_and_may_use_the_unit_and_add_hooks) {
    run([this](UnitOfWork& unit) -> Task<void> {
        unit.before_commit([this](UnitOfWork& late) -> Task<void> {
            hooks += "1 ";
            late.before_commit([this](UnitOfWork&) -> Task<void> {
                hooks += "3 ";
                co_return;
            });
            co_await late.execute("from hook");
        });
        unit.before_commit([this](UnitOfWork&) -> Task<void> {
            hooks += "2 ";
            co_return;
        });
        co_return;
    });
    EXPECT_EQ(hooks, "1 2 3 ");
    EXPECT_EQ(source.log, "begin [from hook] commit[] ");
}

TEST_F(UnitOfWorkTest, a_hook_before_commit_that_throws_fails_the_unit) {
    const std::string error = error_of([this](UnitOfWork& unit) -> Task<void> {
        unit.before_commit([](UnitOfWork&) -> Task<void> { throw std::runtime_error("hook failed"); });
        unit.after_commit([this] { hooks += "committed "; });
        unit.after_rollback([this] { hooks += "rolled back "; });
        co_return;
    });
    EXPECT_EQ(error, "hook failed");
    EXPECT_EQ(source.log, "begin rollback ");
    EXPECT_EQ(hooks, "rolled back ");
}

Task<void> with_both_hooks(UnitOfWork& unit, std::string& hooks) {
    unit.after_commit([&hooks] { hooks += "committed "; });
    unit.after_rollback([&hooks] { hooks += "rolled back "; });
    co_await unit.execute("insert");
}

TEST_F(UnitOfWorkTest, hooks_after_the_commit_run_once_it_is_certain) {
    run([this](UnitOfWork& unit) { return with_both_hooks(unit, hooks); });
    EXPECT_EQ(hooks, "committed ");
}

TEST_F(UnitOfWorkTest, hooks_after_the_rollback_run_when_the_commit_failed) {
    source.commit_failure = ErrorKind::constraint;
    EXPECT_EQ(error_of([this](UnitOfWork& unit) { return with_both_hooks(unit, hooks); }), "fake: constraint: planned");
    EXPECT_EQ(hooks, "rolled back ");
}

TEST_F(UnitOfWorkTest, no_hook_runs_when_the_outcome_is_unknown) {
    source.commit_failure = ErrorKind::outcome_unknown;
    EXPECT_EQ(error_of([this](UnitOfWork& unit) { return with_both_hooks(unit, hooks); }),
              "fake: outcome_unknown: planned");
    EXPECT_EQ(hooks, "");
    EXPECT_EQ(source.log, "begin [insert] commit[] ");
}

TEST_F(UnitOfWorkTest, serialization_failures_run_the_body_again_with_a_fresh_unit_as_often_as_allowed) {
    source.commit_failure = ErrorKind::serialization;
    source.failing_commits = 2;
    TransactionOptions options;
    options.retry_serialization = 2;
    run(options, [this](UnitOfWork& unit) { return with_both_hooks(unit, hooks); });
    EXPECT_EQ(source.log, "begin [insert] commit[] begin [insert] commit[] begin [insert] commit[] ");
    EXPECT_EQ(hooks, "rolled back rolled back committed ");
}

TEST_F(UnitOfWorkTest, serialization_failures_beyond_the_allowed_number_reach_the_caller) {
    source.commit_failure = ErrorKind::serialization;
    TransactionOptions options;
    options.retry_serialization = 1;
    EXPECT_EQ(error_of(insert_one, options), "fake: serialization: planned");
    EXPECT_EQ(source.begun, 2);
}

TEST_F(UnitOfWorkTest, other_failures_never_run_the_body_again) {
    source.commit_failure = ErrorKind::conflict;
    TransactionOptions options;
    options.retry_serialization = 5;
    EXPECT_EQ(error_of(insert_one, options), "fake: conflict: planned");
    EXPECT_EQ(source.begun, 1);
}

TEST_F(UnitOfWorkTest, use_by_two_coroutines_at_once_is_refused) {
    source.hold_statements = true;
    std::string second = "not tried";
    const std::string error = error_of([&](UnitOfWork& unit) -> Task<void> {
        runtime::TaskScope scope(shard, {});
        scope.spawn("first", insert_one(unit));
        co_await source.until_held();
        try {
            co_await unit.execute("second");
        } catch (const Error& refused) {
            second = refused.what();
        }
        source.let_go();
        co_await scope.join();
    });
    EXPECT_EQ(error, "none");
    EXPECT_EQ(second, "fake: query: the unit of work is in use by another coroutine; use it from one at a time");
    EXPECT_EQ(source.log, "begin [insert] commit[] ");
}

TEST_F(UnitOfWorkTest, a_rollback_waits_for_the_request_of_a_stray_coroutine) {
    source.hold_statements = true;
    runtime::TaskScope scope(shard, {});
    const std::string error = error_of([&](UnitOfWork& unit) -> Task<void> {
        scope.spawn("stray", insert_one(unit));
        co_await source.until_held();
        scope.spawn("release", [](FakeSource& held) -> Task<void> {
            held.let_go();
            co_return;
        }(source));
        throw std::runtime_error("body failed");
    });
    runtime::run_task(shard, scope.join());
    EXPECT_EQ(error, "body failed");
    EXPECT_EQ(source.log, "begin [insert] rollback ");
}

TEST_F(UnitOfWorkTest, use_after_the_end_is_refused) {
    const auto late = [](FakeSource& fake) -> Task<std::string> {
        const TransactionOptions options;
        std::unique_ptr<Transaction> transaction = co_await static_cast<DataSource&>(fake).begin(options);
        UnitOfWork unit("fake", std::move(transaction), options);
        co_await unit.commit();
        std::string refused;
        try {
            co_await unit.execute("late");
        } catch (const Error& error) {
            refused = error.what();
        }
        EXPECT_THROW(unit.after_commit([] {}), Error);
        EXPECT_THROW(unit.attachment<Words>(refused), Error);
        co_await unit.rollback();
        co_return refused;
    };
    EXPECT_EQ(runtime::run_task(shard, late(source)), "fake: query: the unit of work has ended; nothing was run");
    EXPECT_EQ(source.log, "begin commit[] ");
}

Task<void> sleep_in_unit(UnitOfWork& unit, std::string& hooks) {
    unit.after_rollback([&hooks] { hooks += "rolled back "; });
    co_await unit.execute("insert");
    runtime::Wake never(*runtime::Shard::current());
    co_await never.wait();
}

TEST_F(UnitOfWorkTest, a_cancelled_body_is_rolled_back_and_the_cancellation_goes_on) {
    runtime::TaskScope scope(shard, {});
    bool aborted = false;
    scope.spawn("unit", [](UnitOfWorkTest& test, bool& was_aborted) -> Task<void> {
        const auto body = [&test](UnitOfWork& unit) { return sleep_in_unit(unit, test.hooks); };
        try {
            Task<void> unit = test.source.transaction({}, body);
            co_await std::move(unit);
        } catch (const boost::system::system_error&) {
            was_aborted = true;
        }
        runtime::Wake never(test.shard);
        co_await never.wait();  // throws: the coroutine is still marked as cancelled
    }(*this, aborted));
    shard.run_ready();
    scope.cancel();
    runtime::run_task(shard, scope.join());
    EXPECT_TRUE(aborted);
    EXPECT_EQ(source.log, "begin [insert] rollback ");
    EXPECT_EQ(hooks, "rolled back ");
    EXPECT_EQ(scope.failed(), 0U);
}

TEST_F(UnitOfWorkTest, a_deadline_rolls_the_body_back_and_is_a_timeout) {
    TransactionOptions options;
    options.deadline = std::chrono::milliseconds(20);
    EXPECT_EQ(error_of([this](UnitOfWork& unit) { return sleep_in_unit(unit, hooks); }, options),
              "fake: timeout: the unit's deadline of 20 ms passed; it was rolled back");
    EXPECT_EQ(source.log, "begin [insert] rollback ");
    EXPECT_EQ(hooks, "rolled back ");
}

TEST_F(UnitOfWorkTest, a_deadline_that_is_not_reached_changes_nothing) {
    TransactionOptions options;
    options.deadline = std::chrono::hours(1);
    EXPECT_EQ(error_of(insert_one, options), "none");
    EXPECT_EQ(error_of(fail_after_insert, options), "body failed");
    EXPECT_EQ(source.log, "begin [insert] commit[] begin [insert] rollback ");
}

TEST_F(UnitOfWorkTest, query_one_refuses_a_second_row) {
    source.rows = 2;
    EXPECT_EQ(error_of([](UnitOfWork& unit) -> Task<void> { co_await unit.query_one("select 1"); }),
              "query: query_one: 2 rows where at most one is expected in `select ?`");
}

TEST_F(UnitOfWorkTest, query_one_of_no_row_is_nothing) {
    run([](UnitOfWork& unit) -> Task<void> {
        const std::optional<Row> row = co_await unit.query_one("select");
        EXPECT_FALSE(row.has_value());
    });
}

}  // namespace
}  // namespace sluice::db
