#include "sluice/outbox/internal/schema.hpp"

#include "sluice/outbox/outbox.hpp"

namespace sluice::outbox {

std::vector<migrate::Migration> migrations() {
    migrate::Migration first;
    first.module = "sluice_outbox";
    first.version = 1;
    first.name = "outbox";
    first.statements[db::Dialect::sqlite] = sqlite_tables();
    first.statements[db::Dialect::postgres] = postgres_tables();
    first.statements[db::Dialect::mariadb] = mariadb_tables();
    return {first};
}

}  // namespace sluice::outbox
