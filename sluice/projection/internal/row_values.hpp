// The values of many rows, as the texts over many rows take them. Pure.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "sluice/db/value.hpp"
#include "sluice/projection/internal/projection_sql.hpp"

namespace sluice::projection::internal {

/// `values` are those of `rows` rows (at least 1), row by row; each is an integer, a text or null.
[[nodiscard]] std::vector<db::Value> in_form(RowForm form, std::vector<db::Value> values, std::size_t rows);

/// The bytes of the texts among `values`.
[[nodiscard]] std::size_t text_bytes(std::span<const db::Value> values);

}  // namespace sluice::projection::internal
