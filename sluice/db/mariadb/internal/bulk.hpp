// Many rows by few packets: one statement executed with arrays of values (MariaDB's COM_STMT_BULK_EXECUTE).
#pragma once

#include "sluice/db/mariadb/internal/exchange.hpp"

namespace sluice::db::mariadb {

/// `INSERT INTO "t"("a", "b") VALUES (?, ?)`; the names must have passed db::internal::refusal.
[[nodiscard]] std::string bulk_sql(const BulkInsert& rows);

/// Throws a `query` error for what cannot be sent.
void check_bulk(const Link& link, const BulkInsert& rows);

/// Inside a transaction, which has to be rolled back if it fails: packets before may have been stored. The answer's one
/// result has the number of rows as `affected`. Does not throw: cancellation is told as by Exchange::run.
Task<Reply> run_bulk(Link& link, const BulkInsert& rows);

}  // namespace sluice::db::mariadb
