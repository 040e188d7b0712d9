// The statements that make the outbox's tables, per database.
#pragma once

#include <string>
#include <vector>

namespace sluice::outbox {

[[nodiscard]] std::vector<std::string> sqlite_tables();
[[nodiscard]] std::vector<std::string> postgres_tables();
[[nodiscard]] std::vector<std::string> mariadb_tables();

}  // namespace sluice::outbox
