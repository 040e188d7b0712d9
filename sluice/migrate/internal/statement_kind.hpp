// Which statements a transaction cannot hold. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sluice/db/statement.hpp"
#include "sluice/migrate/migration.hpp"

namespace sluice::migrate::internal {

/// Whether a transaction refuses `sql` (PostgreSQL: CREATE INDEX CONCURRENTLY, VACUUM, …) or is ended by it (MariaDB:
/// everything but the statements that change rows).
[[nodiscard]] bool runs_alone(std::string_view sql, db::Dialect dialect);

/// Why `sql` has no place in a migration on MariaDB: it would change the transaction or the connection behind the
/// runner's back. Other databases' drivers refuse such statements themselves. Nothing: it may run.
[[nodiscard]] std::optional<std::string> refusal_of(std::string_view sql);

/// Whether the migration runs statement by statement, each recorded, instead of in one transaction.
[[nodiscard]] bool runs_stepwise(const Migration& migration, db::Dialect dialect);

/// The index that PostgreSQL's `CREATE INDEX CONCURRENTLY` makes, as `to_regclass` takes it; empty when the statement
/// leaves the name to the server. Nothing for another statement.
[[nodiscard]] std::optional<std::string> concurrent_index(std::string_view sql);

}  // namespace sluice::migrate::internal
