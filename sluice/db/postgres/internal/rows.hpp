// A libpq result as rows.
#pragma once

#include <expected>
#include <string>

#include <libpq-fe.h>

#include "sluice/db/row.hpp"

namespace sluice::db::postgres {

/// The reason names the column that could not be read.
[[nodiscard]] std::expected<Result, std::string> read_rows(const PGresult* result);

}  // namespace sluice::db::postgres
