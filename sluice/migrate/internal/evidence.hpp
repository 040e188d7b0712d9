// What tells whether a statement that ran outside of a transaction has happened, when nobody saw its end.
#pragma once

#include <string>

#include "sluice/db/connection.hpp"
#include "sluice/db/error.hpp"

namespace sluice::migrate::internal {

/// What the database looks like before a statement. MariaDB: a digest of the schema; PostgreSQL: nothing is needed.
db::Task<std::string> trace_of(db::Session& session);

/// Whether `sql`, begun when the database looked like `trace`, has happened. What half of it left behind is removed:
/// an index that PostgreSQL calls invalid. False where nothing can tell; such a statement is run again.
db::Task<bool> has_happened(db::Session& session, std::string sql, std::string trace);

/// Throws unless what `sql` has made can be used: `create index concurrently if not exists` takes an index that an
/// earlier try left invalid for the one that is wanted.
db::Task<void> confirm(db::Session& session, std::string sql);

/// Whether the error says that what an interrupted statement was to make is there, or what it was to remove is gone.
[[nodiscard]] bool says_done(const db::Error& error, db::Dialect dialect);

}  // namespace sluice::migrate::internal
