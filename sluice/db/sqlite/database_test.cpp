// The rules of SQLite's group commit, on real files and threads.
#include "sluice/db/sqlite/database.hpp"

#include <gtest/gtest.h>

#include "sluice/runtime/outside.hpp"
namespace sluice::db::sqlite {
TEST(Smoke, works) {
    runtime::ShardGroup shards(1);
    shards.start();
    core::Metrics metrics;
    ::unlink("/tmp/db_smoke.db");
    ::unlink("/tmp/db_smoke.db-wal");
    auto database = Database::open({.name = "shop", .path = "/tmp/db_smoke.db"}, {}, metrics);
    auto task = [](DataSource& source) -> Task<std::int64_t> {
        std::unique_ptr<Connection> c = co_await source.acquire(AccessIntent::write);
        co_await c->execute("create table t(a integer primary key, b text)");
        auto body = [](UnitOfWork& unit) -> Task<void> {
            co_await unit.execute("insert into t(b) values($1)", "x");
            co_await unit.execute("insert into t(b) values($1)", "y");
        };
        for (int i = 0; i < 100; ++i)
            co_await source.transaction({}, body);
        std::unique_ptr<Connection> r = co_await source.acquire(AccessIntent::read);
        auto row = co_await r->query_one("select count(*) as n from t");
        co_return row->get<std::int64_t>("n");
    };
    EXPECT_EQ(runtime::block_on(shards.at(0), task(*database)), 200);
    runtime::block_on(shards.at(0), database->close());
    fmt::print("{}", metrics.render());
}
}  // namespace sluice::db::sqlite
