// Which statements a unit may not run: those that would end its transaction behind its back.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sluice/db/statement.hpp"

namespace sluice::db::mariadb {

/// Why `sql` is refused inside a unit; empty if it is not. Savepoints are allowed. MariaDB commits before most DDL.
[[nodiscard]] std::optional<std::string> unit_refusal(std::string_view sql);

/// Whether it is `ROLLBACK TO …`.
[[nodiscard]] bool is_rollback_to(std::string_view sql);

/// Whether it is one of the statements that UnitOfWork::savepoint makes, which need no preparation.
[[nodiscard]] bool is_own_savepoint(const Statement& statement);

}  // namespace sluice::db::mariadb
