// What every database refuses to store, so that one program means the same on each of them.
#pragma once

#include <optional>
#include <string>

#include "sluice/db/statement.hpp"

namespace sluice::db::internal {

/// Why `value` cannot be stored; empty if it can: text must be UTF-8 without NUL, a real a number, a timestamp in the
/// years 0000 to 9999.
[[nodiscard]] std::optional<std::string> refusal(const Value& value);

/// Why the bulk insert cannot be done, naming the table and the row; empty if its names are usable and every row has a
/// value per column. Values are not looked at.
[[nodiscard]] std::optional<std::string> refusal(const BulkInsert& rows);

/// `name` as a quoted SQL identifier.
[[nodiscard]] std::string quoted(std::string_view name);

}  // namespace sluice::db::internal
