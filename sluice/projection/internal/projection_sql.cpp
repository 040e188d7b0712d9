#include "sluice/projection/internal/projection_sql.hpp"

namespace sluice::projection::internal {

const Texts& texts(db::Dialect dialect) {
    static const Texts sqlite = sqlite_texts();
    static const Texts postgres = postgres_texts();
    static const Texts mariadb = mariadb_texts();
    switch (dialect) {
        case db::Dialect::postgres:
            return postgres;
        case db::Dialect::mariadb:
            return mariadb;
        case db::Dialect::sqlite:
            break;
    }
    return sqlite;
}

}  // namespace sluice::projection::internal
