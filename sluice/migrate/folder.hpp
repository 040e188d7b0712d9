// Migrations from files, one per step and dialect.
//
//     migrations/0001_articles.sql              every dialect that has no file of its own
//     migrations/0002_search.sqlite.sql         also .postgres.sql and .mariadb.sql
//
//     migrate::Runner runner({migrate::read_folder("shop", "migrations")}, log);
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "sluice/migrate/migration.hpp"

namespace sluice::migrate {

/// Reads every `<version>_<name>[.<dialect>].sql` of `folder`; other endings are passed over, subfolders too. Throws
/// db::Error `config` naming the file (and line) for a folder that cannot be read, a name that does not fit, a version
/// that is missing or means two things, a file without statements or beyond 4 MiB, and SQL that does not end.
[[nodiscard]] std::vector<Migration> read_folder(const std::string& module, const std::filesystem::path& folder);

}  // namespace sluice::migrate
