#include "sluice/db/open.hpp"

#include <utility>

#include <fmt/format.h>

#include "sluice/db/internal/failures.hpp"
#ifdef SLUICE_MARIADB
#include "sluice/db/mariadb/database.hpp"
#endif
#ifdef SLUICE_POSTGRES
#include "sluice/db/postgres/database.hpp"
#endif
#include "sluice/db/sqlite/database.hpp"

namespace sluice::db {
namespace {

std::shared_ptr<DataSource> open_sqlite(std::string name, std::string_view path, core::Logger log,
                                        core::Metrics& metrics) {
    sqlite::Settings settings;
    settings.name = std::move(name);
    settings.path = path;
    return sqlite::Database::open(std::move(settings), std::move(log), metrics);
}

[[noreturn, maybe_unused]] void refuse_driver(std::string_view source, std::string_view database,
                                              std::string_view option) {
    throw internal::failure(ErrorKind::config, source,
                            fmt::format("this build has no {} driver; configure it with -D{}=ON", database, option));
}

#ifdef SLUICE_POSTGRES
std::shared_ptr<DataSource> open_postgres(std::string name, std::string_view dsn, core::Logger log,
                                          core::Metrics& metrics, OpenOptions options) {
    postgres::Settings settings;
    settings.name = std::move(name);
    settings.dsn = dsn;
    settings.pool.max = options.connections;
    if (!options.prepare) settings.statement_cache = 0;
    return postgres::Database::open(settings, std::move(log), metrics);
}
#else
std::shared_ptr<DataSource> open_postgres(std::string name, std::string_view, core::Logger, core::Metrics&,
                                          OpenOptions) {
    refuse_driver(name, "PostgreSQL", "SLUICE_POSTGRES");
}
#endif

#ifdef SLUICE_MARIADB
std::shared_ptr<DataSource> open_mariadb(std::string name, std::string_view dsn, core::Logger log,
                                         core::Metrics& metrics, OpenOptions options) {
    mariadb::Settings settings;
    settings.name = std::move(name);
    settings.dsn = dsn;
    settings.pool.max = options.connections;
    return mariadb::Database::open(settings, std::move(log), metrics);
}
#else
std::shared_ptr<DataSource> open_mariadb(std::string name, std::string_view, core::Logger, core::Metrics&,
                                         OpenOptions) {
    refuse_driver(name, "MariaDB", "SLUICE_MARIADB");
}
#endif

}  // namespace

std::shared_ptr<DataSource> open(std::string name, std::string_view dsn, core::Logger log, core::Metrics& metrics,
                                 OpenOptions options) {
    const std::string_view scheme = dsn.substr(0, dsn.find(':'));
    if (scheme == "sqlite" && scheme.size() < dsn.size()) {
        return open_sqlite(std::move(name), dsn.substr(scheme.size() + 1), std::move(log), metrics);
    }
    if (scheme == "postgres" || scheme == "postgresql")
        return open_postgres(std::move(name), dsn, std::move(log), metrics, options);
    if (scheme == "mariadb" || scheme == "mysql")
        return open_mariadb(std::move(name), dsn, std::move(log), metrics, options);
    // What stands before the first colon may be anything, a password too.
    throw internal::failure(ErrorKind::config, name,
                            "the connection string's scheme is none of sqlite, postgres and mariadb");
}

}  // namespace sluice::db
