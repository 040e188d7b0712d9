// libpq's failures as db::Error: with the SQLSTATE, without parameter values and credentials.
#pragma once

#include <string>
#include <string_view>

#include <libpq-fe.h>

#include "sluice/db/error.hpp"

namespace sluice::db::postgres {

/// `message` of an error whose SQLSTATE is given, with what the server quotes from values taken out.
[[nodiscard]] std::string without_values(std::string_view sqlstate, std::string_view message);

/// The SQLSTATE at the end of a connection's message under PQERRORS_SQLSTATE; empty if there is none.
[[nodiscard]] std::string_view sqlstate_of(std::string_view connection_message);

/// Of a result whose status is an error.
[[nodiscard]] Error error_of(const PGresult* result, std::string_view source, std::string_view sql);

/// Of a connection that could not be made. `place` stands for the DSN.
[[nodiscard]] Error connect_error(const PGconn* connection, std::string_view source, std::string_view place);

/// The connection is gone in the midst of its use.
[[nodiscard]] Error lost_error(std::string_view source, std::string_view why);

}  // namespace sluice::db::postgres
