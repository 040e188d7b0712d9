// How far a migration is that runs statement by statement: one row of `sluice_migration_progress` while it runs.
#pragma once

#include <cstddef>
#include <expected>
#include <optional>
#include <string>

#include "sluice/db/connection.hpp"
#include "sluice/migrate/migration.hpp"

namespace sluice::migrate::internal {

struct Progress {
    std::size_t done = 0;  ///< statements whose effect is certain
    bool begun = false;    ///< the next one may or may not have happened
    std::string checksum;  ///< over the statements that are done or begun
    std::string trace;     ///< what the database looked like before the one that is begun
};

/// One line that says why nobody can go on from `progress`: the text up to there is another now.
[[nodiscard]] std::expected<void, std::string> check_progress(const Migration& migration, db::Dialect dialect,
                                                              const Progress& progress);

db::Task<void> make_progress_table(db::Session& session);
db::Task<std::optional<Progress>> read_progress(db::Session& session, const Migration& migration);
/// The row of a migration of which nothing is done.
[[nodiscard]] db::Statement first_progress(const Migration& migration, db::Dialect dialect);
/// Changes the row from `done` statements to `next`; one row, or another program is at work.
[[nodiscard]] db::Statement change_progress(const Migration& migration, std::size_t done, const Progress& next);
[[nodiscard]] db::Statement forget_progress(const Migration& migration);

}  // namespace sluice::migrate::internal
