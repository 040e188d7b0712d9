// A running SQLite data source with one table t(a), and ways to hold its writer. Only tests include this.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "sluice/core/log.hpp"
#include "sluice/core/metrics.hpp"
#include "sluice/db/error.hpp"
#include "sluice/db/internal/temp_folder.hpp"
#include "sluice/db/sqlite/database.hpp"
#include "sluice/runtime/outside.hpp"
#include "sluice/runtime/scope.hpp"
#include "sluice/runtime/shard.hpp"
#include "sluice/runtime/wake.hpp"

namespace sluice::db::sqlite {

inline constexpr TransactionOptions kDefaults;

/// A test's body is a coroutine on the only shard.
class DatabaseFixture : public ::testing::Test {
public:
    static constexpr std::chrono::seconds kPatience{20};

    /// Opens the file (again) with settings changed by `change`.
    void open(const std::function<void(Settings&)>& change = [](Settings&) {}) {
        if (database) close();
        Settings settings;
        settings.name = "shop";
        settings.path = file();
        change(settings);
        database = Database::open(settings, {}, metrics);
        on_shard(write("create table if not exists t(a integer primary key, b text)"));
    }
    [[nodiscard]] std::string file() const { return folder.file("shop.sqlite3"); }
    void close() {
        if (!database) return;
        on_shard(database->close());
        database.reset();
    }
    void SetUp() override { shards.start(); }
    void TearDown() override {
        close();
        shards.stop();
    }

    [[nodiscard]] runtime::Shard& shard() { return shards.at(0); }
    template <class T>
    T on_shard(Task<T> task) {
        return runtime::block_on(shard(), std::move(task));
    }

    /// One statement as a unit of its own.
    Task<void> write(std::string sql) {
        const auto connection = co_await database->acquire(AccessIntent::write);
        co_await connection->execute(std::move(sql));
    }
    /// The values of t.a in order, as "1 2 3".
    Task<std::string> rows() {
        const auto connection = co_await database->acquire(AccessIntent::read);
        const auto row =
            co_await connection->query_one("select group_concat(a, ' ') from (select a from t order by a)");
        co_return row->get<std::optional<std::string>>(0).value_or("");
    }
    /// Inserts `a` in a unit and writes down how it ended: "ok" or the error's kind.
    Task<void> insert(std::string& outcome, std::int64_t a, TransactionOptions options = {}) {
        const auto body = [a](UnitOfWork& unit) -> Task<void> {
            co_await unit.execute("insert into t(a) values ($1)", a);
        };
        co_await note(outcome, database->transaction(options, body));
    }
    static Task<void> note(std::string& outcome, Task<void> task) {
        try {
            co_await std::move(task);
            outcome = "ok";
        } catch (const Error& error) {
            outcome = to_string(error.kind());
        }
    }
    /// Waits until `holds()`, and fails the test when it never does.
    Task<void> until(std::function<bool()> holds) {
        runtime::Wake never(*runtime::Shard::current());
        const auto give_up = std::chrono::steady_clock::now() + kPatience;
        while (!holds() && std::chrono::steady_clock::now() < give_up) {
            co_await never.wait_for(std::chrono::milliseconds(1));
        }
        EXPECT_TRUE(holds()) << "waited in vain";
    }
    Task<void> until_waiting(int units) {
        const auto all_wait = [this, units] { return waiting.value() == units; };
        co_await until(all_wait);
    }
    [[nodiscard]] double groups_committed() const { return groups.value(); }

    /// A unit that keeps the writer until it is told to go on.
    struct Holder {
        explicit Holder(runtime::Shard& on) : started(on), go_on(on) {}
        runtime::Wake started;
        runtime::Wake go_on;
        std::string outcome;
    };
    Task<void> hold(Holder& holder, std::int64_t a) {
        const auto body = [&holder, a](UnitOfWork& unit) -> Task<void> {
            co_await unit.execute("insert into t(a) values ($1)", a);
            holder.started.notify();
            co_await holder.go_on.wait();
        };
        co_await note(holder.outcome, database->transaction(kDefaults, body));
    }

    db::internal::TempFolder folder;
    runtime::ShardGroup shards{1};
    core::Metrics metrics;
    core::Gauge waiting = metrics.gauge("sluice_db_waiting", "Units that wait for the writer", {{"source", "shop"}});
    core::Counter groups = metrics.counter("sluice_db_groups_total", "SQLite write transactions by how they ended",
                                           {{"source", "shop"}, {"outcome", "committed"}});
    std::shared_ptr<Database> database;
};

}  // namespace sluice::db::sqlite
