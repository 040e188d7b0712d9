// Responses as bytes.
#pragma once

#include <string>
#include <string_view>

#include "sluice/http/message.hpp"

namespace sluice::http::internal {

/// Status line and fields with Content-Length, Date and Connection, to be followed by the body or, after HEAD, by
/// nothing.
[[nodiscard]] std::string serialize_head(const Response& response, bool keep_alive);
/// What follows the head; empty for 204, 304 and 1xx whatever the handler answered. Refers into `response`.
[[nodiscard]] std::string_view body_of(const Response& response) noexcept;
/// The 101 that ends HTTP on a connection.
[[nodiscard]] std::string upgrade_head(const Headers& headers);

}  // namespace sluice::http::internal
