// Responses as bytes.
#pragma once

#include <string>

#include "sluice/http/message.hpp"

namespace sluice::http::internal {

/// Head and body with Content-Length, Date and Connection. `head_only`: the answer to HEAD.
[[nodiscard]] std::string serialize(const Response& response, bool keep_alive, bool head_only);
/// The 101 that ends HTTP on a connection.
[[nodiscard]] std::string upgrade_head(const Headers& headers);

}  // namespace sluice::http::internal
