#include "sluice/projection/internal/projection_sql.hpp"

#include "sluice/projection/error.hpp"

namespace sluice::projection::internal {

const Texts& texts(db::Dialect dialect) {
    static const Texts sqlite = sqlite_texts();
    static const Texts postgres = postgres_texts();
    if (dialect == db::Dialect::sqlite) return sqlite;
    if (dialect == db::Dialect::postgres) return postgres;
    throw Error(ErrorKind::config, "*", "there are no projection tables for MariaDB yet; use SQLite or PostgreSQL");
}

}  // namespace sluice::projection::internal
