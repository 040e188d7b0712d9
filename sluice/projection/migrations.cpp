#include "sluice/projection/migrations.hpp"

#include "sluice/projection/internal/projection_sql.hpp"

namespace sluice::projection {

std::vector<migrate::Migration> migrations() {
    return {{"sluice_projection",
             1,
             "projections",
             {{db::Dialect::sqlite, internal::sqlite_tables()},
              {db::Dialect::postgres, internal::postgres_tables()},
              {db::Dialect::mariadb, internal::mariadb_tables()}}}};
}

}  // namespace sluice::projection
