// Reading connections: snapshots, age, waiting, cancellation.
#include <gtest/gtest.h>

#include "sluice/db/sqlite/internal/database_fixture.hpp"

namespace sluice::db::sqlite {
namespace {

using namespace std::chrono_literals;

constexpr const char* kEndless =
    "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n where i < 0";

TransactionOptions read_only() {
    TransactionOptions options;
    options.read_only = true;
    return options;
}

struct Readers : DatabaseFixture {
    void SetUp() override {
        DatabaseFixture::SetUp();
        open([](Settings& settings) { settings.readers = 1; });
    }
};

Task<std::int64_t> count_rows(Session& session) {
    const auto row = co_await session.query_one("select count(*) from t");
    co_return row->get<std::int64_t>(0);
}

TEST_F(Readers, a_read_only_unit_sees_one_state_of_the_file) {
    on_shard([](Readers& test) -> Task<void> {
        const auto body = [&test](UnitOfWork& unit) -> Task<void> {
            const std::int64_t before = co_await count_rows(unit);
            co_await test.write("insert into t(a) values (1)");
            const std::int64_t after = co_await count_rows(unit);
            EXPECT_EQ(before, 0);
            EXPECT_EQ(after, 0);
        };
        co_await test.database->transaction(read_only(), body);
        const std::string rows = co_await test.rows();
        EXPECT_EQ(rows, "1");
    }(*this));
}

TEST_F(Readers, an_old_read_transaction_is_ended_and_its_reader_lent_to_the_next) {
    open([](Settings& settings) {
        settings.readers = 1;
        settings.reader_limit = 30ms;
    });
    on_shard([](Readers& test) -> Task<void> {
        auto transaction = co_await test.database->begin(read_only());
        const std::int64_t count = co_await count_rows(*transaction);
        EXPECT_EQ(count, 0);
        const std::string rows = co_await test.rows();  // waits for the only reader
        EXPECT_EQ(rows, "");
        std::string outcome;
        co_await DatabaseFixture::note(outcome,
                                       [](Transaction& old) -> Task<void> { co_await count_rows(old); }(*transaction));
        EXPECT_EQ(outcome, "timeout");
        co_await transaction->rollback();
        const std::string again = co_await test.rows();
        EXPECT_EQ(again, "");
    }(*this));
}

TEST_F(Readers, a_read_that_takes_too_long_is_interrupted) {
    open([](Settings& settings) { settings.reader_limit = 20ms; });
    on_shard([](Readers& test) -> Task<void> {
        std::string outcome;
        const auto body = [](UnitOfWork& unit) -> Task<void> { co_await unit.query(kEndless); };
        co_await note(outcome, test.database->transaction(read_only(), body));
        EXPECT_EQ(outcome, "timeout");
    }(*this));
}

TEST_F(Readers, a_deadline_interrupts_a_read) {
    on_shard([](Readers& test) -> Task<void> {
        std::string outcome;
        TransactionOptions options = read_only();
        options.deadline = 20ms;
        const auto body = [](UnitOfWork& unit) -> Task<void> { co_await unit.query(kEndless); };
        co_await note(outcome, test.database->transaction(options, body));
        EXPECT_EQ(outcome, "timeout");
        const std::string rows = co_await test.rows();
        EXPECT_EQ(rows, "");
    }(*this));
}

Task<void> read_endlessly(Readers& test, runtime::Wake& started) {
    const auto connection = co_await test.database->acquire(AccessIntent::read);
    started.notify();
    co_await connection->query(kEndless);
}

TEST_F(Readers, a_cancelled_read_is_interrupted_and_gives_its_reader_back) {
    on_shard([](Readers& test) -> Task<void> {
        runtime::TaskScope scope(test.shard(), {});
        runtime::Wake started(test.shard());
        scope.spawn("reader", read_endlessly(test, started));
        co_await started.wait();
        scope.cancel();
        co_await scope.join();
        EXPECT_EQ(scope.failed(), 0U) << "it ended by the cancellation, not by an error of its own";
        const std::string rows = co_await test.rows();
        EXPECT_EQ(rows, "");
    }(*this));
}

TEST_F(Readers, are_lent_in_the_order_of_asking) {
    on_shard([](Readers& test) -> Task<void> {
        auto held = co_await test.database->acquire(AccessIntent::read);
        runtime::TaskScope scope(test.shard(), {});
        std::string order;
        for (const char* name : {"a", "b", "c"}) {
            scope.spawn(name, [](Readers& reading, std::string& log, const char* who) -> Task<void> {
                const auto connection = co_await reading.database->acquire(AccessIntent::read);
                log += who;
            }(test, order, name));
        }
        held.reset();
        co_await scope.join();
        EXPECT_EQ(order, "abc");
    }(*this));
}

TEST_F(Readers, a_wait_without_a_free_reader_ends) {
    open([](Settings& settings) {
        settings.readers = 1;
        settings.busy_timeout = 20ms;
    });
    on_shard([](Readers& test) -> Task<void> {
        const auto held = co_await test.database->acquire(AccessIntent::read);
        std::string outcome;
        co_await note(outcome, [](Readers& reading) -> Task<void> {
            co_await reading.database->acquire(AccessIntent::read);
        }(test));
        EXPECT_EQ(outcome, "pool_exhausted");
        TransactionOptions options = read_only();
        options.deadline = 5ms;
        const auto body = [](UnitOfWork&) -> Task<void> { co_return; };
        co_await note(outcome, test.database->transaction(options, body));
        EXPECT_EQ(outcome, "timeout");
    }(*this));
}

TEST_F(Readers, a_cancelled_wait_leaves_the_line) {
    on_shard([](Readers& test) -> Task<void> {
        auto held = co_await test.database->acquire(AccessIntent::read);
        runtime::TaskScope scope(test.shard(), {});
        std::string outcome;
        scope.spawn("waiter", [](Readers& reading) -> Task<void> {
            co_await reading.database->acquire(AccessIntent::read);
        }(test));
        co_await test.until([&scope] { return scope.running() == 1; });
        scope.cancel();
        co_await scope.join();
        held.reset();
        const std::string rows = co_await test.rows();
        EXPECT_EQ(rows, "");
    }(*this));
}

TEST_F(Readers, refuse_bulk_inserts) {
    on_shard([](Readers& test) -> Task<void> {
        const auto connection = co_await test.database->acquire(AccessIntent::read);
        std::string outcome;
        co_await note(outcome, [](Session& session) -> Task<void> {
            BulkInsert rows;
            co_await session.bulk(std::move(rows));
        }(*connection));
        EXPECT_EQ(outcome, "read_only");
    }(*this));
}

}  // namespace
}  // namespace sluice::db::sqlite
