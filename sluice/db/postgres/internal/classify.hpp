// SQLSTATE to kind: the whole table. docs/errors.md shows it to users.
#pragma once

#include <string_view>

#include "sluice/db/error.hpp"

namespace sluice::db::postgres {

/// `sqlstate` is five characters; anything else is `other`. 57014 (a statement cancelled by the server) is `timeout`:
/// who cancelled it himself knows better.
[[nodiscard]] ErrorKind classify(std::string_view sqlstate) noexcept;

/// Whether the server ends the connection with this error.
[[nodiscard]] bool ends_connection(std::string_view sqlstate) noexcept;

}  // namespace sluice::db::postgres
