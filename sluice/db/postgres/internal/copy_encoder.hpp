// Rows as the lines of `COPY … FROM STDIN` in its text format, which converts to whatever type the column has.
#pragma once

#include <string>
#include <vector>

#include "sluice/db/statement.hpp"

namespace sluice::db::postgres {

/// `COPY "table"("a", "b") FROM STDIN`; the names must have passed db::internal::refusal.
[[nodiscard]] std::string copy_sql(const BulkInsert& rows);

/// Appends one line to `out`. The values must have passed db::internal::refusal.
void append_copy_row(std::string& out, const std::vector<Value>& row);

}  // namespace sluice::db::postgres
