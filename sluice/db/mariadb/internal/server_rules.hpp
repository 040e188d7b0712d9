// Which servers the driver works with.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sluice::db::mariadb {

/// What a server says of itself when a connection is opened.
struct ServerTraits {
    bool is_mariadb = false;
    unsigned long version = 0;  ///< 101119 for 10.11.19
    std::string_view version_text;
    bool is_galera_node = false;  ///< wsrep_on
};

/// Why the server is refused, as the end of a sentence that begins with its place; empty if it is not.
[[nodiscard]] std::optional<std::string> server_refusal(const ServerTraits& server);

}  // namespace sluice::db::mariadb
