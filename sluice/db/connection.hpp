// The one facade over every database: query, execute, batch, bulk_insert.
//
//     auto connection = co_await source.acquire(db::AccessIntent::read);
//     auto rows = co_await connection->query("select name from article where stock < $1", 5);
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sluice/db/row.hpp"
#include "sluice/db/statement.hpp"
#include "sluice/runtime/task.hpp"

namespace sluice::db {

using runtime::Task;

/// What runs statements: a connection outside a transaction, or a driver's transaction. A port: drivers and
/// applications implement `run` and `bulk`. One coroutine at a time, on the shard that acquired it.
class Session {
public:
    virtual ~Session() = default;

    /// Runs the statements in order, in one round trip where the driver can, and stops at the first error, which it
    /// throws as db::Error. One result per statement.
    virtual Task<std::vector<Result>> run(std::vector<Statement> statements) = 0;
    /// COPY or multi-row inserts. Answers the rows written; all or none inside a transaction.
    virtual Task<std::uint64_t> bulk(BulkInsert rows) = 0;
    [[nodiscard]] virtual Dialect dialect() const noexcept = 0;

    template <class... Args>
    Task<Result> query(std::string sql, Args&&... args) {
        return one(statement(std::move(sql), std::forward<Args>(args)...));
    }
    /// The first row, or nothing. More than one row is a `query` error.
    template <class... Args>
    Task<std::optional<Row>> query_one(std::string sql, Args&&... args) {
        return first(statement(std::move(sql), std::forward<Args>(args)...));
    }
    /// Answers the rows affected.
    template <class... Args>
    Task<std::uint64_t> execute(std::string sql, Args&&... args) {
        return affected(statement(std::move(sql), std::forward<Args>(args)...));
    }

private:
    Task<Result> one(Statement statement);
    Task<std::optional<Row>> first(Statement statement);
    Task<std::uint64_t> affected(Statement statement);
};

enum class AccessIntent : std::uint8_t { read, write };

/// A borrowed connection; its destruction gives it back.
using Connection = Session;

}  // namespace sluice::db
