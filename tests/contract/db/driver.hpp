// What the database contract needs of a driver: fresh databases and the names of its types. A driver is registered in
// driver.cpp; every case then runs against it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "sluice/core/metrics.hpp"
#include "sluice/db/data_source.hpp"
#include "sluice/db/error.hpp"
#include "sluice/runtime/outside.hpp"
#include "sluice/runtime/scope.hpp"
#include "sluice/runtime/shard.hpp"
#include "sluice/runtime/wake.hpp"

namespace sluice::contract {

using db::Task;

/// Names of column types in this database's SQL.
struct TypeNames {
    std::string boolean;
    std::string integer;
    std::string real;
    std::string text;  ///< holds 16 MiB
    std::string bytes;
    std::string timestamp;
    std::string uuid;
    std::string json;
    std::string integers;
    std::string texts;
    std::string bytes_array;
};

/// One empty database, dropped when it is destroyed.
class Sandbox {
public:
    virtual ~Sandbox() = default;
    /// Another data source on the same database, with a name of its own.
    virtual std::shared_ptr<db::DataSource> open(core::Metrics& metrics) = 0;
    /// What another process needs to open it by `Driver::open`.
    [[nodiscard]] virtual std::string location() const = 0;
};

class Driver {
public:
    virtual ~Driver() = default;
    [[nodiscard]] virtual std::string name() const = 0;
    [[nodiscard]] virtual const TypeNames& types() const = 0;
    [[nodiscard]] virtual std::unique_ptr<Sandbox> make_sandbox() const = 0;
    [[nodiscard]] virtual std::shared_ptr<db::DataSource> open(const std::string& location,
                                                               core::Metrics& metrics) const = 0;
};

[[nodiscard]] const Driver& sqlite_driver();
[[nodiscard]] const Driver& postgres_driver();
[[nodiscard]] const Driver& mariadb_driver();
/// PostgreSQL behind PgBouncer in transaction mode.
[[nodiscard]] const Driver& pgbouncer_driver();

/// Every driver that this build has.
[[nodiscard]] std::vector<const Driver*> drivers();

/// One case on one driver: a data source, two shards, and item(id, name) if the case asks for it.
class DbContract : public ::testing::TestWithParam<const Driver*> {
public:
    using Body = std::function<Task<void>(db::UnitOfWork&)>;

    void SetUp() override;
    void TearDown() override;

    [[nodiscard]] const Driver& driver() const { return *GetParam(); }
    [[nodiscard]] db::DataSource& source() { return *source_; }
    [[nodiscard]] runtime::Shard& shard(std::uint32_t index = 0) { return shards_.at(index); }
    [[nodiscard]] Sandbox& sandbox() { return *sandbox_; }
    [[nodiscard]] core::Metrics& metrics() { return metrics_; }

    /// Runs `task` on the first shard and waits for it.
    template <class T>
    T wait(Task<T> task) {
        return runtime::block_on(shard(), std::move(task));
    }
    /// Statements outside a unit.
    void execute(const std::string& sql);
    void make_items();
    /// The ids of item in order, as "1 2 3", by a new reading connection.
    std::string items();
    std::int64_t count(const std::string& table);

    /// How a unit with this body ended: "ok", the kind of a db::Error, or another exception's text.
    std::string outcome(Body body, db::TransactionOptions options = {});
    static Task<void> note(std::string& outcome, Task<void> task);

private:
    runtime::ShardGroup shards_{2};
    core::Metrics metrics_;
    std::unique_ptr<Sandbox> sandbox_;
    std::shared_ptr<db::DataSource> source_;
};

/// insert into item values (id, 'x')
Task<void> insert_item(db::Session& session, std::int64_t id);

/// The child of the durability case: inserts until it is killed and prints the ids whose units were acknowledged.
int run_ack_child(const std::string& driver, const std::string& location, std::int64_t first_id);

}  // namespace sluice::contract
