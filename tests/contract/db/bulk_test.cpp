// Bulk inserts and batches.
#include "driver.hpp"

namespace sluice::contract {
namespace {

class DbBulk : public DbContract {
protected:
    void SetUp() override {
        DbContract::SetUp();
        make_items();
    }
    static db::BulkInsert rows(std::int64_t first, std::int64_t count) {
        db::BulkInsert bulk;
        bulk.table = "item";
        bulk.columns = {"id", "name"};
        for (std::int64_t i = 0; i < count; ++i)
            bulk.rows.push_back({first + i, "name " + std::to_string(i)});
        return bulk;
    }
    std::string bulk_outcome(db::BulkInsert bulk) {
        return outcome([&bulk](db::UnitOfWork& unit) -> Task<void> { co_await unit.bulk(bulk); });
    }
};

TEST_P(DbBulk, inserts_more_values_than_a_statement_may_have) {
    static constexpr std::int64_t kMany = 40'000;
    const auto insert = [](db::UnitOfWork& unit) -> Task<std::uint64_t> { return unit.bulk(rows(1, kMany)); };
    EXPECT_EQ(wait(source().transaction({}, insert)), static_cast<std::uint64_t>(kMany));
    EXPECT_EQ(count("item"), kMany);
}

TEST_P(DbBulk, of_no_rows_does_nothing) {
    EXPECT_EQ(bulk_outcome(rows(1, 0)), "ok");
    EXPECT_EQ(items(), "");
}

TEST_P(DbBulk, that_fails_inserts_nothing) {
    db::BulkInsert twice = rows(1, 3);
    twice.rows.push_back({2, "again"});
    EXPECT_EQ(bulk_outcome(twice), "conflict");
    EXPECT_EQ(items(), "");
}

TEST_P(DbBulk, that_fails_in_a_savepoint_leaves_the_unit_usable) {
    const std::string ended = outcome([](db::UnitOfWork& unit) -> Task<void> {
        co_await insert_item(unit, 1);
        std::string inner;
        co_await note(inner,
                      unit.savepoint([](db::UnitOfWork& nested) -> Task<void> { co_await nested.bulk(rows(1, 2)); }));
        EXPECT_EQ(inner, "conflict");
        co_await insert_item(unit, 9);
    });
    EXPECT_EQ(ended, "ok");
    EXPECT_EQ(items(), "1 9");
}

TEST_P(DbBulk, rows_must_have_a_value_for_each_column) {
    db::BulkInsert uneven = rows(1, 2);
    uneven.rows[1].pop_back();
    EXPECT_EQ(bulk_outcome(uneven), "query");
}

TEST_P(DbBulk, on_a_connection_is_all_or_nothing) {
    const auto insert = [](db::DataSource& target, db::BulkInsert bulk) -> Task<void> {
        const auto connection = co_await target.acquire(db::AccessIntent::write);
        co_await connection->bulk(std::move(bulk));
    };
    std::string ended;
    wait(note(ended, insert(source(), rows(1, 100))));
    EXPECT_EQ(ended, "ok");
    wait(note(ended, insert(source(), rows(100, 100))));
    EXPECT_EQ(ended, "conflict");
    EXPECT_EQ(count("item"), 100);
}

std::vector<db::Statement> batch_of(std::vector<std::string> sql) {
    std::vector<db::Statement> statements;
    for (std::string& each : sql)
        statements.push_back(db::statement(std::move(each)));
    return statements;
}

Task<void> run_batch(db::Session& session, std::vector<std::string> sql) {
    co_await session.run(batch_of(std::move(sql)));
}

TEST_P(DbBulk, a_batch_answers_one_result_per_statement) {
    const std::string ended = outcome([](db::UnitOfWork& unit) -> Task<void> {
        std::vector<db::Statement> batch =
            batch_of({"insert into item(id) values (1)", "insert into item(id) values (2)",
                      "select id from item order by id", "update item set name = 'y'"});
        const std::vector<db::Result> results = co_await unit.run(std::move(batch));
        EXPECT_EQ(results.size(), 4U);
        EXPECT_EQ(results[0].affected, 1U);
        EXPECT_EQ(results[2].rows.at(1).get<std::int64_t>("id"), 2);
        EXPECT_EQ(results[3].affected, 2U);
    });
    EXPECT_EQ(ended, "ok");
}

Task<void> batch_with_an_error(db::UnitOfWork& unit) {
    return run_batch(
        unit, {"insert into item(id) values (1)", "insert into nowhere values (1)", "insert into item(id) values (3)"});
}

TEST_P(DbBulk, a_batch_stops_at_its_first_error) {
    const std::string ended = outcome([](db::UnitOfWork& unit) -> Task<void> {
        std::string inner;
        co_await note(inner, unit.savepoint(batch_with_an_error));
        EXPECT_EQ(inner, "query");
        co_await insert_item(unit, 5);
    });
    EXPECT_EQ(ended, "ok");
    EXPECT_EQ(items(), "5");
}

TEST_P(DbBulk, an_empty_batch_is_nothing) {
    EXPECT_EQ(outcome([](db::UnitOfWork& unit) { return run_batch(unit, {}); }), "ok");
}

INSTANTIATE_TEST_SUITE_P(Db, DbBulk, ::testing::ValuesIn(drivers()),
                         [](const auto& given) { return given.param->name(); });

}  // namespace
}  // namespace sluice::contract
