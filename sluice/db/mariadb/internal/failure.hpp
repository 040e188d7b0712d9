// Connector/C's failures as db::Error: with the number, without parameter values and credentials.
#pragma once

#include <string>
#include <string_view>

#include "sluice/db/error.hpp"
#include "sluice/db/mariadb/internal/classify.hpp"

namespace sluice::db::mariadb {

/// The message with what the server quotes from values and from the statement taken out.
[[nodiscard]] std::string without_values(const Said& said);

/// Of a statement that failed.
[[nodiscard]] Error error_of(const Said& said, std::string_view source, std::string_view sql);

/// Of a connection that could not be made. `place` stands for the DSN.
[[nodiscard]] Error connect_error(const Said& said, std::string_view source, std::string_view place);

/// The connection is gone in the midst of its use.
[[nodiscard]] Error lost_error(const Said& said, std::string_view source);

/// Of a statement that was not sent.
[[nodiscard]] Error refused_statement(std::string message, std::string_view source, std::string_view sql);

}  // namespace sluice::db::mariadb
