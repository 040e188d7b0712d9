// Error number to kind: the whole table. docs/errors.md shows it to users.
#pragma once

#include <string_view>

#include "sluice/db/error.hpp"

namespace sluice::db::mariadb {

/// What the server or the library said.
struct Said {
    unsigned code = 0;          ///< errno: 1062, 2013, …
    std::string_view sqlstate;  ///< five characters, or empty
    std::string_view message;
};

/// By number, else by SQLSTATE. 1317 (a statement stopped by KILL QUERY) is `timeout`: who stopped it himself knows
/// better. 1290 tells what prevents the statement only in its text.
[[nodiscard]] ErrorKind classify(const Said& said) noexcept;

/// Whether the connection is gone with this error.
[[nodiscard]] bool ends_connection(unsigned code) noexcept;

}  // namespace sluice::db::mariadb
