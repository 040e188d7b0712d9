// The text of a bulk insert's single-row statement.
#pragma once

#include <expected>
#include <string>

#include "sluice/db/statement.hpp"

namespace sluice::db::sqlite {

/// `INSERT INTO "t"("a", "b") VALUES ($1, $2)`. Pure. The error says which row or name is wrong.
[[nodiscard]] std::expected<std::string, std::string> insert_sql(const BulkInsert& rows);

}  // namespace sluice::db::sqlite
