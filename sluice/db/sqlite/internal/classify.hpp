// SQLite's extended result codes as error kinds.
#pragma once

#include <string>
#include <string_view>

#include "sluice/db/error.hpp"

namespace sluice::db::sqlite {

/// Pure. `extended` is sqlite3_extended_errcode's answer. An interrupt is `cancelled`; who interrupted on purpose knows
/// better. See docs/errors.md for the table.
[[nodiscard]] ErrorKind classify(int extended) noexcept;

/// "SQLITE_CONSTRAINT_UNIQUE (2067)" for the codes that have a name here, else the number.
[[nodiscard]] std::string code_text(int extended);

}  // namespace sluice::db::sqlite
