// The table `sluice_migrations` of one database.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "sluice/db/connection.hpp"
#include "sluice/migrate/internal/plan.hpp"

namespace sluice::migrate::internal {

/// Empty when the table is not there yet.
db::Task<std::vector<Applied>> read_ledger(db::Session& session);
/// Makes the table unless it is there and reads it, in one request. Inside a unit of work.
db::Task<std::vector<Applied>> open_ledger(db::Session& session);
/// Inserts the row of a migration that took `duration`.
[[nodiscard]] db::Statement record_of(const Migration& migration, db::Dialect dialect,
                                      std::chrono::milliseconds duration);

}  // namespace sluice::migrate::internal
