// Pieces of SQL that differ between databases, and the columns that messages and their copies share.
#pragma once

#include <string>
#include <string_view>

#include "sluice/db/statement.hpp"

namespace sluice::outbox::sql {

/// The database's clock in microseconds since 1970, UTC. SQLite 3.40 knows milliseconds.
inline constexpr std::string_view kSqliteNow =
    "(cast(round((julianday('now') - 2440587.5) * 86400000.0) as integer) * 1000)";

/// What a message carries besides its id; the same names in `sluice_message`, `sluice_parked` and `sluice_dead_letter`.
inline constexpr std::string_view kContent = "queue, key, type, tenant, trace, headers, payload, created_at";

/// `text` with every `{now}` and `{content}` replaced.
[[nodiscard]] std::string expand(std::string_view text, db::Dialect dialect);

}  // namespace sluice::outbox::sql
