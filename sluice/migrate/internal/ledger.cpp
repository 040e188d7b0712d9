#include "sluice/migrate/internal/ledger.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "sluice/core/mutant.hpp"

namespace sluice::migrate::internal {
namespace {

constexpr const char* kSelectLedger = "select module, version, name, checksum from sluice_migrations";

/// "sluicemg" as a number: one lock per database, known to every program that migrates with Sluice.
constexpr std::int64_t kAdvisoryLock = 0x736C'7569'6365'6D67;

/// What each database calls the same.
struct LedgerSql {
    const char* find;  ///< a row when the table is there
    const char* create;
    const char* now;
};

const LedgerSql& sql_for(db::Dialect dialect) {
    static constexpr LedgerSql kSqlite{
        "select name from sqlite_schema where type = 'table' and name = 'sluice_migrations'",
        "create table if not exists sluice_migrations("
        "module text not null, version integer not null, name text not null, checksum text not null, "
        "applied_at text not null, duration_ms integer not null, primary key (module, version)) strict, "
        "without rowid",
        "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"};
    static constexpr LedgerSql kPostgres{
        "select 1 as found where to_regclass('sluice_migrations') is not null",
        "create table if not exists sluice_migrations("
        "module text not null, version integer not null, name text not null, checksum text not null, "
        "applied_at timestamptz not null, duration_ms bigint not null, primary key (module, version))",
        "clock_timestamp()"};
    static constexpr LedgerSql kMariadb{
        "select 1 as found from information_schema.tables "
        "where table_schema = database() and table_name = 'sluice_migrations'",
        "create table if not exists sluice_migrations("
        "module varchar(128) not null, version int not null, name varchar(255) not null, checksum char(64) not null, "
        "applied_at datetime(3) not null, duration_ms bigint not null, primary key (module, version)) "
        "engine = InnoDB, character set = utf8mb4, collate = utf8mb4_bin",
        "utc_timestamp(3)"};
    switch (dialect) {
        case db::Dialect::postgres:
            return kPostgres;
        case db::Dialect::mariadb:
            return kMariadb;
        case db::Dialect::sqlite:
            break;
    }
    return kSqlite;
}

std::vector<Applied> rows_of(const db::Result& result) {
    std::vector<Applied> rows;
    for (const db::Row& row : result)
        rows.push_back({row.get<std::string>(0), static_cast<int>(row.get<std::int64_t>(1)), row.get<std::string>(2),
                        row.get<std::string>(3)});
    return rows;
}

}  // namespace

std::vector<db::Statement> lock_statements(std::chrono::milliseconds wait) {
    const auto limit = std::max<std::int64_t>(wait.count(), 1);  // 0 would be no limit
    std::vector<db::Statement> statements;
    statements.push_back(db::statement(fmt::format("set local lock_timeout = {}", limit)));
    if (!core::mutant("migrate_postgres_without_lock"))
        statements.push_back(db::statement("select pg_advisory_xact_lock($1)", kAdvisoryLock));
    return statements;
}

db::Task<void> make_ledger(db::Session& session) {
    co_await session.execute(sql_for(session.dialect()).create);
}

db::Task<std::vector<Applied>> read_ledger(db::Session& session) {
    const auto table = co_await session.query(sql_for(session.dialect()).find);
    std::vector<Applied> rows;
    if (table.empty()) co_return rows;
    const db::Result result = co_await session.query(kSelectLedger);
    rows = rows_of(result);
    co_return rows;
}

db::Task<std::vector<Applied>> open_ledger(db::Session& unit, std::chrono::milliseconds wait) {
    std::vector<db::Statement> statements;
    if (unit.dialect() == db::Dialect::postgres) statements = lock_statements(wait);
    statements.push_back(db::statement(sql_for(unit.dialect()).create));
    statements.push_back(db::statement(kSelectLedger));
    const std::vector<db::Result> results = co_await unit.run(std::move(statements));
    co_return rows_of(results.back());
}

db::Statement record_of(const Migration& migration, db::Dialect dialect, std::chrono::milliseconds duration) {
    return db::statement(fmt::format("insert into sluice_migrations(module, version, name, checksum, applied_at, "
                                     "duration_ms) values ($1, $2, $3, $4, {}, $5)",
                                     sql_for(dialect).now),
                         migration.module, migration.version, migration.name, checksum_of(migration, dialect),
                         duration.count());
}

}  // namespace sluice::migrate::internal
