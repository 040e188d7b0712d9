// MariaDB as a data source: Connector/C on the shard's loop, a pool of connections, prepared statements.
//
//     db::mariadb::Settings settings{.name = "shop_a", .dsn = "mariadb://app:secret@db.example/shop"};
//     auto database = db::mariadb::Database::open(settings, log, metrics);
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "sluice/core/log.hpp"
#include "sluice/core/metrics.hpp"
#include "sluice/db/data_source.hpp"
#include "sluice/db/pool/settings.hpp"

namespace sluice::db::mariadb {

/// See docs/mariadb.md, "Settings".
struct Settings {
    std::string name;  ///< of the data source
    std::string dsn;   ///< mariadb://user:password@host:port/database?sslmode=…; never logged
    pool::Settings pool{};
    /// Statements prepared per connection, least recently used go first; at least 1.
    std::uint32_t statement_cache = 256;
    std::chrono::milliseconds connect_timeout{5'000};
    /// How long a rollback, or the end of a cancelled statement, may take before the connection is given up.
    std::chrono::milliseconds cleanup_limit{5'000};
};

/// Thread-safe, as every data source. Connections are opened when they are needed.
class Database : public DataSource {
public:
    /// Parses the DSN; connects to nothing. Throws db::Error `config` for unusable settings.
    [[nodiscard]] static std::shared_ptr<Database> open(const Settings& settings, core::Logger log,
                                                        core::Metrics& metrics);
    /// "host:port/database", for people.
    [[nodiscard]] virtual const std::string& place() const noexcept = 0;
};

}  // namespace sluice::db::mariadb
