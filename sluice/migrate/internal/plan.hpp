// What the program knows held against what a database's ledger says. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <vector>

#include "sluice/db/statement.hpp"
#include "sluice/migrate/migration.hpp"
#include "sluice/migrate/runner.hpp"

namespace sluice::migrate::internal {

/// One row of `sluice_migrations`.
struct Applied {
    std::string module;
    int version = 0;
    std::string name;
    std::string checksum;
};

/// "shop 0001 articles", for messages.
[[nodiscard]] std::string name_of(const Migration& migration);

/// SHA-256 over the statements of `dialect`, each with its length before it, in hexadecimal digits.
[[nodiscard]] std::string checksum_of(const Migration& migration, db::Dialect dialect);
/// The same over the first `count` statements.
[[nodiscard]] std::string checksum_of(const Migration& migration, db::Dialect dialect, std::size_t count);
/// SHA-256 over these texts, likewise.
[[nodiscard]] std::string digest_of(std::span<const std::string> texts);

/// One line that says which module misses which version or has one twice; nothing when all is well.
[[nodiscard]] std::expected<void, std::string> check_versions(const std::vector<Migration>& migrations);

/// The state of every migration in order, or one line that says what differs and what to do: a checksum that changed, a
/// version that is missing between applied ones, one that is newer than the program, no statements for `dialect`.
/// Modules that only the ledger knows belong to other programs and are passed over.
[[nodiscard]] std::expected<std::vector<Step>, std::string> make_plan(const std::vector<Migration>& migrations,
                                                                      const std::vector<Applied>& ledger,
                                                                      db::Dialect dialect);

}  // namespace sluice::migrate::internal
