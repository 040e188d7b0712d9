#include "sluice/migrate/internal/progress.hpp"

#include <fmt/format.h>

#include "sluice/migrate/internal/plan.hpp"

namespace sluice::migrate::internal {

std::expected<void, std::string> check_progress(const Migration& migration, db::Dialect dialect,
                                                const Progress& progress) {
    const std::size_t count = migration.statements.at(dialect).size();
    const std::size_t known = progress.done + (progress.begun ? 1 : 0);
    if (known <= count && progress.checksum == checksum_of(migration, dialect, known)) return {};
    return std::unexpected(
        fmt::format("migration {} stopped at its statement {} and the text up to there was changed since; restore that "
                    "text, then what follows may be corrected",
                    name_of(migration), known));
}

db::Task<void> make_progress_table(db::Session& session) {
    const bool mariadb = session.dialect() == db::Dialect::mariadb;
    std::string sql =
        mariadb ? "create table if not exists sluice_migration_progress(module varchar(128) not null, "
                  "version int not null, done int not null, begun int not null, checksum char(64) not null, "
                  "trace varchar(64) not null, primary key (module, version)) "
                  "engine = InnoDB, character set = utf8mb4, collate = utf8mb4_bin"
                : "create table if not exists sluice_migration_progress(module text not null, "
                  "version integer not null, done integer not null, begun integer not null, checksum text not null, "
                  "trace text not null, primary key (module, version))";
    co_await session.execute(std::move(sql));
}

db::Task<std::optional<Progress>> read_progress(db::Session& session, const Migration& migration) {
    const auto row = co_await session.query_one(
        "select done, begun, checksum, trace from sluice_migration_progress where module = $1 and version = $2",
        migration.module, migration.version);
    std::optional<Progress> progress;
    if (row) {
        progress.emplace();
        progress->done = static_cast<std::size_t>(row->get<std::int64_t>(0));
        progress->begun = row->get<std::int64_t>(1) != 0;
        progress->checksum = row->get<std::string>(2);
        progress->trace = row->get<std::string>(3);
    }
    co_return progress;
}

db::Statement first_progress(const Migration& migration, db::Dialect dialect) {
    return db::statement(
        "insert into sluice_migration_progress(module, version, done, begun, checksum, trace) "
        "values ($1, $2, 0, 0, $3, '')",
        migration.module, migration.version, checksum_of(migration, dialect, 0));
}

db::Statement change_progress(const Migration& migration, std::size_t done, const Progress& next) {
    return db::statement(
        "update sluice_migration_progress set done = $4, begun = $5, checksum = $6, trace = $7 "
        "where module = $1 and version = $2 and done = $3",
        migration.module, migration.version, done, next.done, next.begun ? 1 : 0, next.checksum, next.trace);
}

db::Statement forget_progress(const Migration& migration) {
    return db::statement("delete from sluice_migration_progress where module = $1 and version = $2", migration.module,
                         migration.version);
}

}  // namespace sluice::migrate::internal
