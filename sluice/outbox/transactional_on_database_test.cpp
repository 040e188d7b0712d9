// Handlers whose writes commit with the cursor, on a real database: what fails, what is kept, in which order it goes
// on.
#include <algorithm>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sluice/outbox/internal/test_transactional.hpp"

namespace sluice::outbox {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(TransactionalOnDatabase, writes_of_the_handler_commit_with_the_cursor) {
    Transactional test;
    test.start();

    test.bed.publish("orders", numbered(10));

    ASSERT_TRUE(test.bed.drained());
    EXPECT_EQ(test.effects.committed(), payloads(10));
    EXPECT_EQ(test.cursor(), 10);
}

TEST(TransactionalOnDatabase, a_failed_try_leaves_nothing_behind_but_its_count) {
    Transactional test;
    int failures = 3;
    test.effects.answer = [&](const Message&) { return failures-- > 0 ? Outcome::retry("not yet") : Outcome::ok(); };
    test.start();

    test.bed.publish("orders", numbered(1));

    ASSERT_TRUE(test.bed.drained());
    EXPECT_THAT(test.effects.committed(), ElementsAre("1"));
    std::vector<int> attempts;
    for (const Message& message : test.effects.tries)
        attempts.push_back(message.attempts);
    EXPECT_EQ(attempts.back(), static_cast<int>(attempts.size()) - 1);
    EXPECT_TRUE(std::ranges::is_sorted(attempts));
    EXPECT_EQ(test.bed.number("select count(*) from sluice_attempt"), 0);
}

TEST(TransactionalOnDatabase, an_exception_is_a_failure_with_its_text) {
    Transactional test;
    test.effects.answer = [](const Message&) -> Outcome { throw std::runtime_error("the printer is on fire"); };
    test.start();

    test.bed.publish("orders", numbered(1));

    ASSERT_TRUE(test.effects.watch.until([&] { return test.effects.tries.size() >= 3; }));
    EXPECT_EQ(eventually(test.bed, "select count(*) from sluice_attempt where reason like '%printer is on fire%'", 1),
              1);
    EXPECT_THAT(test.effects.committed(), IsEmpty());
}

TEST(TransactionalOnDatabase, what_stands_before_a_failure_commits_and_the_cursor_moves_past_exactly_that) {
    Transactional test;
    test.declare();
    test.bed.publish("orders", numbered(8));
    test.effects.answer = [](const Message& message) {
        return message.payload == "5" ? Outcome::retry("stuck") : Outcome::ok();
    };
    test.start();

    ASSERT_TRUE(test.effects.watch.until([&] { return test.effects.tries_of("5") >= 4; }));

    EXPECT_EQ(test.cursor(), 4);
    EXPECT_EQ(test.effects.committed(), payloads(4));
    EXPECT_EQ(test.effects.tries_of("6"), 0U) << "a message overtook the one that waits";
    EXPECT_FALSE(test.bed.drained(std::chrono::milliseconds(1)));
}

TEST(TransactionalOnDatabase, a_failed_batch_runs_again_in_pieces_of_at_most_32) {
    Transactional test;
    test.declare();
    test.bed.publish("orders", numbered(100));
    bool failed = false;
    test.effects.answer = [&](const Message& message) {
        if (message.payload == "70" && !std::exchange(failed, test.effects.tries_of("70") >= 2))
            return Outcome::retry("twice");
        return Outcome::ok();
    };
    SubscriptionSettings settings = patient();
    settings.batch = 100;
    test.start(settings);

    ASSERT_TRUE(test.bed.drained());

    EXPECT_EQ(test.effects.committed(), payloads(100));
    const std::vector<std::string> moves = test.moves();
    ASSERT_GE(moves.size(), 4U);
    EXPECT_EQ(moves[0], "0-32");
    EXPECT_EQ(moves[1], "32-64");
    EXPECT_EQ(moves[2], "64-69") << "the cursor stands before the message that failed";
    EXPECT_EQ(test.effects.tries_of("69"), 2U) << "once in the whole batch, once in its piece";
    EXPECT_EQ(test.effects.tries_of("71"), 1U);
}

TEST(TransactionalOnDatabase, a_batch_that_never_fails_has_no_savepoints_and_one_move) {
    Transactional test;
    test.declare();
    test.bed.publish("orders", numbered(100));
    SubscriptionSettings settings = patient();
    settings.batch = 100;
    test.start(settings);

    ASSERT_TRUE(test.bed.drained());

    EXPECT_THAT(test.moves(), ElementsAre("0-100"));
    EXPECT_EQ(test.effects.tries.size(), 100U);
}

TEST(TransactionalOnDatabase, a_batch_handler_gets_halves_until_the_message_at_fault_is_alone) {
    Transactional test;
    test.declare();
    test.bed.publish("orders", numbered(16));
    int failures = 6;
    test.effects.answer = [&](const Message& message) {
        return message.payload == "11" && failures-- > 0 ? Outcome::retry("stuck") : Outcome::ok();
    };
    SubscriptionSettings settings = patient();
    settings.batch = 16;
    test.start_batches(settings);

    ASSERT_TRUE(test.bed.drained());

    EXPECT_EQ(test.effects.committed(), payloads(16));
    std::vector<std::size_t> with_culprit;
    for (const auto& batch : test.effects.batches)
        if (std::ranges::find(batch, "11") != batch.end()) with_culprit.push_back(batch.size());
    ASSERT_FALSE(with_culprit.empty());
    EXPECT_EQ(with_culprit.front(), 16U);
    EXPECT_EQ(std::ranges::min(with_culprit), 1U) << "it was never alone";
    EXPECT_EQ(test.effects.batches[1].size(), 8U);
}

TEST(TransactionalOnDatabase, a_batch_that_shrank_doubles_back) {
    Transactional test;
    test.declare();
    test.bed.publish("orders", numbered(60));
    bool failed = false;
    test.effects.answer = [&](const Message& message) {
        return message.payload == "1" && !std::exchange(failed, true) ? Outcome::retry("once") : Outcome::ok();
    };
    SubscriptionSettings settings = patient();
    settings.batch = 16;
    test.start_batches(settings);

    ASSERT_TRUE(test.bed.drained());

    std::vector<std::size_t> sizes;
    for (const auto& batch : test.effects.batches)
        sizes.push_back(batch.size());
    EXPECT_THAT(sizes, ElementsAre(16, 8, 16, 16, 16, 4));
    EXPECT_EQ(test.effects.committed(), payloads(60));
}

TEST(TransactionalOnDatabase, a_batch_names_where_the_cursor_stands_and_will_stand) {
    Transactional test;
    auto builder = test.prepare();
    Seen seen;
    builder.batch_transactional("orders", "audit", seen.batch_handler());
    test.bed.start(builder);

    for (int i = 0; i < 5; ++i)
        test.bed.publish("orders", numbered(3));

    ASSERT_TRUE(test.bed.drained());
    std::int64_t at = 0;
    for (const Batch& batch : seen.batches) {
        EXPECT_EQ(batch.after, at);
        EXPECT_EQ(batch.up_to, at + static_cast<std::int64_t>(batch.messages.size()));
        EXPECT_EQ(batch.subscription, "audit");
        EXPECT_EQ(batch.queue, "orders");
        EXPECT_EQ(batch.ledger_epoch, batch.messages.back().ledger_epoch);
        at = batch.up_to;
    }
    EXPECT_EQ(at, 15);
}

db::Task<void> write_twice(db::UnitOfWork& unit) {
    co_await unit.execute("insert into effect(n) values (1), (1)");
}

/// Violates a constraint for message "2", and lets the error out or deals with it.
struct BadStatement {
    enum class Dealing : std::uint8_t { none, swallow, savepoint };
    Dealing dealing = Dealing::none;
    std::vector<std::string> tries;

    TransactionalHandler handler() {
        return [this](db::UnitOfWork& unit, const Message& message) { return take(unit, message); };
    }
    db::Task<Outcome> take(db::UnitOfWork& unit, const Message& message) {
        tries.push_back(message.payload);
        co_await unit.execute("insert into effect(\"key\", payload) values ($1, $2)", message.key, message.payload);
        const bool bad = message.payload == "2" && (dealing != Dealing::none || tries.size() < 8);
        if (!bad) co_return Outcome::ok();
        std::function<db::Task<void>(db::UnitOfWork&)> body = write_twice;
        std::exception_ptr error;
        try {
            if (dealing == Dealing::savepoint)
                co_await unit.savepoint(std::move(body));
            else
                co_await write_twice(unit);
        } catch (...) {
            error = std::current_exception();
        }
        EXPECT_TRUE(error) << "the statement was to fail";
        if (error && dealing == Dealing::none) std::rethrow_exception(error);
        co_return Outcome::ok();
    }
};

TEST(TransactionalOnDatabase, a_failing_statement_costs_its_message_a_try_and_no_other) {
    Transactional test;
    test.declare();
    test.bed.publish("orders", numbered(4));
    BadStatement bad;
    auto builder = test.prepare();
    builder.transactional("orders", "audit", bad.handler(), patient());
    test.bed.start(builder);

    ASSERT_TRUE(test.bed.drained());

    EXPECT_EQ(test.effects.committed(), payloads(4));
    EXPECT_EQ(std::ranges::count(bad.tries, "3"), 1);
    EXPECT_EQ(std::ranges::count(bad.tries, "4"), 1);
}

TEST(TransactionalOnDatabase, a_failing_statement_in_a_savepoint_of_the_handler_harms_nothing) {
    Transactional test;
    test.declare();
    test.bed.publish("orders", numbered(4));
    BadStatement bad{BadStatement::Dealing::savepoint, {}};
    auto builder = test.prepare();
    builder.transactional("orders", "audit", bad.handler(), patient());
    test.bed.start(builder);

    ASSERT_TRUE(test.bed.drained());

    EXPECT_EQ(test.effects.committed(), payloads(4));
    EXPECT_EQ(bad.tries, payloads(4));
}

/// PostgreSQL's transaction is lost with the statement (docs/databases.md), SQLite's goes on.
TEST(TransactionalOnDatabase, a_failing_statement_that_the_handler_swallows_harms_no_other_message) {
    Transactional test;
    test.declare();
    test.bed.publish("orders", numbered(4));
    BadStatement bad{BadStatement::Dealing::swallow, {}};
    SubscriptionSettings settings = patient();
    settings.max_attempts = 3;
    auto builder = test.prepare();
    builder.transactional("orders", "audit", bad.handler(), settings);
    test.bed.start(builder);

    ASSERT_TRUE(test.bed.drained());

    const bool lost = test.bed.dialect() != db::Dialect::sqlite;
    EXPECT_EQ(test.bed.number("select count(*) from sluice_dead_letter where payload = '2'"), lost ? 1 : 0);
    std::vector<std::string> committed = test.effects.committed();
    EXPECT_EQ(std::erase(committed, "2"), lost ? 0U : 1U);
    EXPECT_THAT(committed, ElementsAre("1", "3", "4"));
}

/// A child without its parent: seen only at COMMIT, when no message is at hand.
db::Task<Outcome> write_orphan(db::UnitOfWork& unit, const Message& message) {
    co_await unit.execute("insert into effect(\"key\", payload) values ($1, $2)", message.key, message.payload);
    if (message.payload == "3" && message.attempts < 3) co_await unit.execute("insert into child(parent) values (404)");
    co_return Outcome::ok();
}

/// MariaDB has no constraints that wait for COMMIT.
TEST(TransactionalFailingAtCommit, what_fails_at_commit_is_isolated_and_counted_for_its_message) {
    Transactional test;
    test.declare();
    test.bed.execute("create table parent(id bigint primary key)");
    test.bed.execute("create table child(parent bigint references parent(id) deferrable initially deferred)");
    test.bed.publish("orders", numbered(6));
    auto builder = test.prepare();
    builder.transactional("orders", "audit", write_orphan, patient());
    test.bed.start(builder);

    ASSERT_TRUE(test.bed.drained());

    EXPECT_EQ(test.effects.committed(), payloads(6));
    EXPECT_EQ(test.bed.number("select count(*) from child"), 0);
    EXPECT_EQ(test.bed.number("select count(*) from sluice_dead_letter"), 0);
}

/// Keeps the writer beyond hold_limit for message "2" until it was counted twice.
db::Task<Outcome> overstay(db::UnitOfWork& unit, const Message& message) {
    co_await unit.execute("insert into effect(\"key\", payload) values ($1, $2)", message.key, message.payload);
    const auto work = std::chrono::milliseconds(message.payload == "2" && message.attempts < 2 ? 120 : 0);
    co_await runtime::sleep_for(work);  // lint: allow sleep: it is the handler's work
    co_return Outcome::ok();
}

TEST(TransactionalOnSqlite, a_message_that_keeps_the_writer_too_long_is_isolated_and_counted) {
    Transactional test(1, [](db::sqlite::Settings& settings) { settings.hold_limit = std::chrono::milliseconds(50); });
    test.declare();
    test.bed.publish("orders", numbered(4));
    auto builder = test.prepare();
    builder.transactional("orders", "audit", overstay, patient());
    test.bed.start(builder);

    ASSERT_TRUE(test.bed.drained());

    EXPECT_EQ(test.effects.committed(), payloads(4));
}

TEST(TransactionalOnDatabase, a_retry_waits_as_long_as_it_asked_whatever_is_published) {
    Transactional test;
    std::vector<std::chrono::steady_clock::time_point> times;
    test.effects.answer = [&](const Message& message) {
        if (message.payload != "1") return Outcome::ok();
        times.push_back(std::chrono::steady_clock::now());
        return message.attempts == 0 ? Outcome::retry("later", std::chrono::milliseconds(300)) : Outcome::ok();
    };
    test.start();
    test.bed.publish("orders", numbered(1));
    // The first try undid the unit, the second was judged.
    EXPECT_EQ(eventually(test.bed, "select count(*) from sluice_attempt", 1), 1);

    for (int i = 0; i < 20; ++i)
        test.bed.publish("orders", {{"k", "more"}});

    ASSERT_TRUE(test.bed.drained());
    ASSERT_GE(times.size(), 2U);
    EXPECT_GE(times.back() - times[times.size() - 2], std::chrono::milliseconds(300));
    EXPECT_EQ(test.effects.committed().front(), "1");
}

TEST(TransactionalOnDatabase, pauses_between_tries_grow) {
    Transactional test;
    std::vector<std::chrono::steady_clock::time_point> times;
    test.effects.answer = [&](const Message& message) {
        times.push_back(std::chrono::steady_clock::now());
        return message.attempts < 4 ? Outcome::retry("again") : Outcome::ok();
    };
    SubscriptionSettings settings = patient();
    settings.retry = {std::chrono::milliseconds(20), std::chrono::milliseconds(10'000)};
    test.start(settings);

    test.bed.publish("orders", numbered(1));

    ASSERT_TRUE(test.bed.drained());
    ASSERT_GE(times.size(), 5U);
    // 20, 40, 80, 160 ms, up to half of each taken away.
    EXPECT_GE(times.back() - times[times.size() - 2], std::chrono::milliseconds(80));
    EXPECT_GE(times[times.size() - 2] - times[times.size() - 3], std::chrono::milliseconds(40));
}

TEST(TransactionalOnDatabase, failures_are_counted_over_a_restart) {
    Transactional test;
    test.effects.answer = [](const Message&) { return Outcome::retry("not today"); };
    test.start();
    test.bed.publish("orders", numbered(1));
    ASSERT_TRUE(test.effects.watch.until([&] { return test.effects.tries.size() >= 4; }));
    test.bed.stop();
    const std::int64_t counted = test.bed.number("select attempts from sluice_attempt");
    test.effects.tries.clear();
    test.effects.answer = nullptr;

    test.start();

    ASSERT_TRUE(test.bed.drained());
    ASSERT_FALSE(test.effects.tries.empty());
    EXPECT_GE(counted, 2);
    EXPECT_EQ(test.effects.tries.back().attempts, counted);
    EXPECT_THAT(test.effects.committed(), ElementsAre("1"));
}

/// Waits at its gate before it writes anything, so that it holds no lock there.
struct Late {
    Gate& gate;
    Watch& watch;
    std::vector<int> attempts;

    TransactionalHandler handler() {
        return [this](db::UnitOfWork& unit, const Message& message) { return take(unit, message); };
    }
    db::Task<Outcome> take(db::UnitOfWork& unit, const Message& message) {
        attempts.push_back(message.attempts);
        watch.ring();
        co_await gate.pass();
        co_await unit.execute("insert into effect(\"key\", payload) values ($1, $2)", message.key, message.payload);
        co_return Outcome::ok();
    }
};

TEST(TransactionalOnSqlite, a_database_that_is_locked_costs_no_message_a_try) {
    Transactional test(1,
                       [](db::sqlite::Settings& settings) { settings.busy_timeout = std::chrono::milliseconds(10); });
    const auto other = test.bed.open();
    Gate handling(test.bed.shard);
    Gate locked(test.bed.shard);
    Late late{handling, test.effects.watch, {}};
    auto builder = test.prepare();
    builder.transactional("orders", "audit", late.handler(), patient());
    test.bed.start(builder);
    test.bed.publish("orders", numbered(1));
    ASSERT_TRUE(test.effects.watch.until([&] { return handling.waiting() == 1; }));
    runtime::TaskScope scope(test.bed.shard, core::Logger());
    scope.spawn("lock", hold_lock(*other, locked, test.effects.watch));
    ASSERT_TRUE(test.effects.watch.until([&] { return locked.waiting() == 1; }));

    handling.open();
    ASSERT_TRUE(test.effects.watch.until([&] { return late.attempts.size() >= 2; })) << "the lock was no obstacle";
    locked.open();

    ASSERT_TRUE(test.bed.drained());
    test.bed.run(scope.join());
    EXPECT_THAT(test.effects.committed(), ElementsAre("1"));
    EXPECT_THAT(late.attempts, Each(0));
    EXPECT_EQ(test.bed.number("select count(*) from sluice_attempt"), 0);
}

}  // namespace
}  // namespace sluice::outbox
