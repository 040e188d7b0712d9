// Units of work: commit, rollback, savepoints, hooks, attachments, deadlines, cancellation.
#include <stdexcept>

#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include "driver.hpp"

namespace sluice::contract {
namespace {

using std::chrono::milliseconds;

class DbUnits : public DbContract {
protected:
    void SetUp() override {
        DbContract::SetUp();
        make_items();
    }
};

Task<void> fail_after_insert(db::UnitOfWork& unit, std::int64_t id) {
    co_await insert_item(unit, id);
    throw std::runtime_error("body failed");
}

TEST_P(DbUnits, commit_when_the_body_returns) {
    const std::string ended = outcome([](db::UnitOfWork& unit) -> Task<void> {
        co_await insert_item(unit, 1);
        co_await insert_item(unit, 2);
    });
    EXPECT_EQ(ended, "ok");
    EXPECT_EQ(items(), "1 2");
}

TEST_P(DbUnits, roll_back_when_the_body_throws) {
    EXPECT_EQ(outcome([](db::UnitOfWork& unit) { return fail_after_insert(unit, 1); }), "body failed");
    EXPECT_EQ(items(), "");
}

Task<std::vector<db::Result>> run_distinct(db::UnitOfWork& unit, int count) {
    std::vector<db::Statement> statements;
    for (int i = 0; i < count; ++i)
        statements.push_back(db::statement("select " + std::to_string(i) + " + $1", i));
    return unit.run(std::move(statements));
}

/// More than a connection keeps prepared: what it gives up must not stand before the next BEGIN.
TEST_P(DbUnits, of_a_chosen_isolation_may_follow_any_number_of_statements) {
    for (int i = 0; i < 3; ++i) {
        const auto many = [](db::UnitOfWork& unit) -> Task<void> { co_await run_distinct(unit, 400); };
        EXPECT_EQ(outcome(many), "ok");
        db::TransactionOptions options;
        options.isolation = db::Isolation::repeatable_read;
        EXPECT_EQ(outcome([i](db::UnitOfWork& unit) { return insert_item(unit, i); }, options), "ok") << i;
        options.read_only = true;
        EXPECT_EQ(
            outcome([](db::UnitOfWork& unit) -> Task<void> { co_await unit.query("select id from item"); }, options),
            "ok")
            << i;
    }
}

TEST_P(DbUnits, that_do_nothing_commit) {
    EXPECT_EQ(outcome([](db::UnitOfWork&) -> Task<void> { co_return; }), "ok");
}

TEST_P(DbUnits, see_their_own_writes_and_others_do_not_before_the_commit) {
    const std::string ended = outcome([this](db::UnitOfWork& unit) -> Task<void> {
        co_await insert_item(unit, 1);
        const auto mine = co_await unit.query_one("select count(*) as n from item");
        EXPECT_EQ(mine->get<std::int64_t>("n"), 1);
        const auto other = co_await source().acquire(db::AccessIntent::read);
        const auto theirs = co_await other->query_one("select count(*) as n from item");
        EXPECT_EQ(theirs->get<std::int64_t>("n"), 0);
    });
    EXPECT_EQ(ended, "ok");
}

TEST_P(DbUnits, savepoints_nest_and_roll_back_alone) {
    const std::string ended = outcome([](db::UnitOfWork& unit) -> Task<void> {
        co_await insert_item(unit, 1);
        co_await unit.savepoint([](db::UnitOfWork& outer) -> Task<void> {
            co_await insert_item(outer, 2);
            std::string inner;
            co_await note(inner, outer.savepoint([](db::UnitOfWork& nested) { return fail_after_insert(nested, 3); }));
            EXPECT_EQ(inner, "body failed");
            co_await insert_item(outer, 4);
        });
        std::string second;
        co_await note(second, unit.savepoint([](db::UnitOfWork& nested) { return fail_after_insert(nested, 5); }));
        co_await insert_item(unit, 6);
    });
    EXPECT_EQ(ended, "ok");
    EXPECT_EQ(items(), "1 2 4 6");
}

TEST_P(DbUnits, a_failed_statement_in_a_savepoint_leaves_the_unit_usable) {
    const std::string ended = outcome([](db::UnitOfWork& unit) -> Task<void> {
        co_await insert_item(unit, 1);
        std::string inner;
        co_await note(inner, unit.savepoint([](db::UnitOfWork& nested) { return insert_item(nested, 1); }));
        EXPECT_EQ(inner, "conflict");
        co_await insert_item(unit, 2);
    });
    EXPECT_EQ(ended, "ok");
    EXPECT_EQ(items(), "1 2");
}

/// Writes its ids as items right before COMMIT.
class LateItems final : public db::UnitAttachment {
public:
    explicit LateItems(std::string& log) : log_(log) {}
    void mark() override { marks_.push_back(ids_.size()); }
    void rollback_to_mark() override {
        ids_.resize(marks_.back());
        marks_.pop_back();
    }
    void release_mark() override { marks_.pop_back(); }
    std::vector<db::Statement> flush(db::UnitOfWork&) override {
        std::vector<db::Statement> statements;
        for (std::int64_t id : ids_)
            statements.push_back(db::statement("insert into item(id) values ($1)", id));
        return statements;
    }
    void flushed(std::span<const db::Result> results) noexcept override {
        for (const db::Result& result : results)
            log_ += "flushed " + std::to_string(result.affected) + " ";
    }
    void add(std::int64_t id) { ids_.push_back(id); }

private:
    std::string& log_;
    std::vector<std::int64_t> ids_;
    std::vector<std::size_t> marks_;
};

TEST_P(DbUnits, attachments_are_written_with_the_commit_and_follow_savepoints) {
    std::string log;
    const std::string ended = outcome([&log](db::UnitOfWork& unit) -> Task<void> {
        unit.attachment<LateItems>(log).add(1);
        std::string inner;
        co_await note(inner, unit.savepoint([&log](db::UnitOfWork& nested) -> Task<void> {
            nested.attachment<LateItems>(log).add(2);
            return fail_after_insert(nested, 3);
        }));
        co_await insert_item(unit, 4);
        unit.attachment<LateItems>(log).add(5);
        unit.after_commit([&log] { log += "committed"; });
    });
    EXPECT_EQ(ended, "ok");
    EXPECT_EQ(log, "flushed 1 flushed 1 committed");
    EXPECT_EQ(items(), "1 4 5");
}

TEST_P(DbUnits, an_attachment_that_cannot_be_written_fails_the_unit) {
    std::string log;
    const std::string ended = outcome([&log](db::UnitOfWork& unit) -> Task<void> {
        co_await insert_item(unit, 1);
        unit.attachment<LateItems>(log).add(1);
        unit.after_rollback([&log] { log += "rolled back"; });
    });
    EXPECT_EQ(ended, "conflict");
    EXPECT_EQ(log, "rolled back");
    EXPECT_EQ(items(), "");
}

TEST_P(DbUnits, hooks_run_when_the_end_is_certain) {
    std::string log;
    const auto body = [&log](db::UnitOfWork& unit, bool fail) -> Task<void> {
        unit.before_commit([&log](db::UnitOfWork& late) {
            log += "before ";
            return insert_item(late, 7);
        });
        unit.after_commit([&log] { log += "committed "; });
        unit.after_rollback([&log] { log += "rolled back "; });
        co_await insert_item(unit, 1);
        if (fail) throw std::runtime_error("body failed");
    };
    EXPECT_EQ(outcome([&](db::UnitOfWork& unit) { return body(unit, true); }), "body failed");
    EXPECT_EQ(log, "rolled back ");
    EXPECT_EQ(outcome([&](db::UnitOfWork& unit) { return body(unit, false); }), "ok");
    EXPECT_EQ(log, "rolled back before committed ");
    EXPECT_EQ(items(), "1 7");
}

Task<void> wait_for_ever(db::UnitOfWork& unit, runtime::Wake& inserted) {
    co_await insert_item(unit, 1);
    inserted.notify();
    runtime::Wake never(*runtime::Shard::current());
    co_await never.wait();
}

TEST_P(DbUnits, a_deadline_rolls_back_and_frees_the_database) {
    runtime::Wake inserted(shard());
    db::TransactionOptions options;
    options.deadline = milliseconds(50);
    EXPECT_EQ(outcome([&](db::UnitOfWork& unit) { return wait_for_ever(unit, inserted); }, options), "timeout");
    EXPECT_EQ(outcome([](db::UnitOfWork& unit) { return insert_item(unit, 1); }), "ok");
    EXPECT_EQ(items(), "1");
}

Task<void> cancel_a_unit(DbUnits& test) {
    runtime::TaskScope scope(test.shard(), {});
    runtime::Wake inserted(test.shard());
    const db::TransactionOptions options;
    const auto body = [&inserted](db::UnitOfWork& unit) { return wait_for_ever(unit, inserted); };
    scope.spawn("unit", test.source().transaction(options, body));
    co_await inserted.wait();
    scope.cancel();
    co_await scope.join();
    EXPECT_EQ(scope.failed(), 0U);
}

TEST_P(DbUnits, a_cancelled_unit_is_rolled_back_and_frees_the_database) {
    wait(cancel_a_unit(*this));
    EXPECT_EQ(outcome([](db::UnitOfWork& unit) { return insert_item(unit, 1); }), "ok");
    EXPECT_EQ(items(), "1");
}

Task<void> commit_nothing_more(db::Transaction& transaction) {
    std::vector<db::Statement> none;
    co_await transaction.commit(std::move(none));
}

/// Is cancelled while it holds a transaction, and goes on to commit it: as a cleanup does, it lets nothing throw.
Task<void> commit_though_cancelled(DbUnits& test, runtime::Wake& inserted, std::string& ended) {
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    const std::unique_ptr<db::Transaction> transaction = co_await test.source().begin({});
    co_await transaction->execute("insert into item values (1, 'a')");
    inserted.notify();
    runtime::Wake never(test.shard());
    try {
        co_await never.wait();
    } catch (const boost::system::system_error&) {
        ended = "cancelled";
    }
    co_await DbContract::note(ended, commit_nothing_more(*transaction));
}

Task<void> cancel_before_commit(DbUnits& test, std::string& ended) {
    runtime::TaskScope scope(test.shard(), {});
    runtime::Wake inserted(test.shard());
    scope.spawn("unit", commit_though_cancelled(test, inserted, ended));
    co_await inserted.wait();
    scope.cancel();
    co_await scope.join();
}

TEST_P(DbUnits, a_commit_that_was_cancelled_before_is_told_as_it_ended) {
    std::string ended;
    wait(cancel_before_commit(*this, ended));
    EXPECT_EQ(items(), ended == "ok" ? "1" : "") << "told " << ended;
}

TEST_P(DbUnits, use_after_the_end_is_refused_and_writes_nothing) {
    const auto late = [](db::DataSource& source) -> Task<std::string> {
        const db::TransactionOptions options;
        std::unique_ptr<db::Transaction> transaction = co_await source.begin(options);
        db::UnitOfWork unit(source.name(), std::move(transaction), options);
        co_await insert_item(unit, 1);
        co_await unit.commit();
        std::string ended;
        co_await note(ended, insert_item(unit, 2));
        co_return ended;
    };
    EXPECT_EQ(wait(late(source())), "query");
    EXPECT_EQ(items(), "1");
}

/// Answered late enough that the other coroutine runs meanwhile: a quick server's answer may be there without a wait.
std::string slow_statement(db::Dialect dialect) {
    if (dialect == db::Dialect::postgres) return "select 1 from pg_sleep(0.05)";
    return dialect == db::Dialect::mariadb ? "select sleep(0.05)" : "select 1";
}

Task<void> insert_slowly(db::UnitOfWork& unit, std::int64_t id) {
    std::vector<db::Statement> statements;
    statements.push_back(db::statement(slow_statement(unit.dialect())));
    statements.push_back(db::statement("insert into item values ($1, 'a')", id));
    co_await unit.run(std::move(statements));
}

Task<std::string> use_twice(DbUnits& test) {
    std::string first;
    std::string second;
    const db::TransactionOptions options;
    const auto body = [&](db::UnitOfWork& unit) -> Task<void> {
        runtime::TaskScope scope(test.shard(), {});
        scope.spawn("first", DbContract::note(first, insert_slowly(unit, 1)));
        scope.spawn("second", DbContract::note(second, insert_item(unit, 2)));
        co_await scope.join();
    };
    co_await test.source().transaction(options, body);
    co_return first + " " + second;
}

TEST_P(DbUnits, use_by_two_coroutines_at_once_is_refused) {
    EXPECT_EQ(wait(use_twice(*this)), "ok query");
    EXPECT_EQ(items(), "1");
}

TEST_P(DbUnits, serialization_failures_run_the_body_again_only_if_asked) {
    for (const int allowed : {0, 2}) {
        int tries = 0;
        db::TransactionOptions options;
        options.retry_serialization = allowed;
        const std::string ended = outcome(
            [&](db::UnitOfWork& unit) -> Task<void> {
                co_await insert_item(unit, 10 + allowed);
                if (++tries <= 2) {
                    db::ErrorDetails details;
                    details.message = "planned";
                    throw db::Error(db::ErrorKind::serialization, details);
                }
            },
            options);
        EXPECT_EQ(ended, allowed == 0 ? "serialization" : "ok");
        EXPECT_EQ(tries, allowed + 1);
    }
    EXPECT_EQ(items(), "12");
}

TEST_P(DbUnits, query_one_answers_nothing_one_row_or_an_error) {
    const std::string ended = outcome([](db::UnitOfWork& unit) -> Task<void> {
        co_await insert_item(unit, 1);
        co_await insert_item(unit, 2);
        const auto none = co_await unit.query_one("select id from item where id = $1", 9);
        EXPECT_FALSE(none.has_value());
        const auto one = co_await unit.query_one("select id from item where id = $1", 2);
        EXPECT_EQ(one->get<std::int64_t>("id"), 2);
        co_await unit.query_one("select id from item");
    });
    EXPECT_EQ(ended, "query");
}

INSTANTIATE_TEST_SUITE_P(Db, DbUnits, ::testing::ValuesIn(drivers()),
                         [](const auto& given) { return given.param->name(); });

}  // namespace
}  // namespace sluice::contract
