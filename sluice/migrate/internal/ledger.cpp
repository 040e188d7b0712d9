#include "sluice/migrate/internal/ledger.hpp"

namespace sluice::migrate::internal {

namespace {

constexpr const char* kSelectLedger = "select module, version, name, checksum from sluice_migrations";

std::vector<Applied> rows_of(const db::Result& result) {
    std::vector<Applied> rows;
    for (const db::Row& row : result)
        rows.push_back({row.get<std::string>(0), static_cast<int>(row.get<std::int64_t>(1)), row.get<std::string>(2),
                        row.get<std::string>(3)});
    return rows;
}

}  // namespace

db::Task<std::vector<Applied>> read_ledger(db::Session& session) {
    const auto table =
        co_await session.query("select name from sqlite_schema where type = 'table' and name = 'sluice_migrations'");
    std::vector<Applied> rows;
    if (table.empty()) co_return rows;
    const db::Result result = co_await session.query(kSelectLedger);
    rows = rows_of(result);
    co_return rows;
}

db::Task<std::vector<Applied>> open_ledger(db::Session& session) {
    std::vector<db::Statement> statements;
    statements.push_back(
        db::statement("create table if not exists sluice_migrations("
                      "module text not null, version integer not null, name text not null, checksum text not null, "
                      "applied_at text not null, duration_ms integer not null, primary key (module, version)) strict, "
                      "without rowid"));
    statements.push_back(db::statement(kSelectLedger));
    const std::vector<db::Result> results = co_await session.run(std::move(statements));
    co_return rows_of(results.at(1));
}

db::Statement record_of(const Migration& migration, db::Dialect dialect, std::chrono::milliseconds duration) {
    return db::statement(
        "insert into sluice_migrations(module, version, name, checksum, applied_at, duration_ms) "
        "values ($1, $2, $3, $4, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), $5)",
        migration.module, migration.version, migration.name, checksum_of(migration, dialect), duration.count());
}

}  // namespace sluice::migrate::internal
