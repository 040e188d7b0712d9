#include "sluice/db/mariadb/internal/server_rules.hpp"

#include <fmt/format.h>

namespace sluice::db::mariadb {
namespace {

constexpr unsigned long kOldestServer = 100'600;

}  // namespace

std::optional<std::string> server_refusal(const ServerTraits& server) {
    if (!server.is_mariadb) return "is no MariaDB server; MySQL is not supported";
    if (server.version < kOldestServer)
        return fmt::format("is MariaDB {}; 10.6 or newer is needed", server.version_text);
    if (server.is_galera_node) {
        return "is a node of a Galera cluster (wsrep_on), which is not supported: it has lost acknowledged commits, "
               "and "
               "commits fail there for what other nodes did; use a server with or without plain replicas";
    }
    return std::nullopt;
}

}  // namespace sluice::db::mariadb
