// Values into prepared statements and columns back into values. docs/sqlite.md, "Types", has the table.
#pragma once

#include <sqlite3.h>

#include "sluice/db/internal/value_rules.hpp"
#include "sluice/db/value.hpp"

namespace sluice::db::sqlite {

using db::internal::refusal;

/// Binds `value` as parameter `index` (from 1) and answers SQLite's result code. Text and bytes are not copied: `value`
/// must outlive the statement's reset.
[[nodiscard]] int bind_value(sqlite3_stmt* statement, int index, const Value& value);

/// The current row's column `index` (from 0).
[[nodiscard]] Value read_column(sqlite3_stmt* statement, int index);

}  // namespace sluice::db::sqlite
