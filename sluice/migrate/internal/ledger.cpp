#include "sluice/migrate/internal/ledger.hpp"

namespace sluice::migrate::internal {

db::Task<std::vector<Applied>> read_ledger(db::Session& session) {
    const auto table =
        co_await session.query("select name from sqlite_schema where type = 'table' and name = 'sluice_migrations'");
    std::vector<Applied> rows;
    if (table.empty()) co_return rows;
    const auto result = co_await session.query("select module, version, name, checksum from sluice_migrations");
    for (const db::Row& row : result) {
        Applied applied{row.get<std::string>(0), static_cast<int>(row.get<std::int64_t>(1)), row.get<std::string>(2),
                        row.get<std::string>(3)};
        rows.push_back(std::move(applied));
    }
    co_return rows;
}

db::Task<void> ensure_ledger(db::Session& session) {
    co_await session.execute(
        "create table if not exists sluice_migrations("
        "module text not null, version integer not null, name text not null, checksum text not null, "
        "applied_at text not null, duration_ms integer not null, primary key (module, version)) strict, without rowid");
}

db::Statement record_of(const Migration& migration, db::Dialect dialect, std::chrono::milliseconds duration) {
    return db::statement(
        "insert into sluice_migrations(module, version, name, checksum, applied_at, duration_ms) "
        "values ($1, $2, $3, $4, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), $5)",
        migration.module, migration.version, migration.name, checksum_of(migration, dialect), duration.count());
}

}  // namespace sluice::migrate::internal
