// The table `sluice_migrations` of one database, and the lock under which it is changed.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "sluice/db/connection.hpp"
#include "sluice/migrate/internal/plan.hpp"

namespace sluice::migrate::internal {

/// Empty when the table is not there yet.
db::Task<std::vector<Applied>> read_ledger(db::Session& session);
/// Makes the table unless it is there.
db::Task<void> make_ledger(db::Session& session);
/// PostgreSQL's lock of a transaction, waited for at most `wait`: one of a session would stay behind in a pooler.
[[nodiscard]] std::vector<db::Statement> lock_statements(std::chrono::milliseconds wait);
/// Takes the lock of this unit, waiting at most `wait` for other programs, makes the table unless it is there, and
/// reads it: one request. The wait also bounds what the unit's later statements wait for a lock, on PostgreSQL. A lock
/// that is not given is a `serialization` error. On SQLite the unit itself is the lock.
db::Task<std::vector<Applied>> open_ledger(db::Session& unit, std::chrono::milliseconds wait);
/// Inserts the row of a migration that took `duration`.
[[nodiscard]] db::Statement record_of(const Migration& migration, db::Dialect dialect,
                                      std::chrono::milliseconds duration);

}  // namespace sluice::migrate::internal
