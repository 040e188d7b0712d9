// Pieces of SQL that differ between databases, and the columns that messages and their copies share.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sluice/db/statement.hpp"

namespace sluice::outbox::sql {

/// The database's clock in microseconds since 1970, UTC. SQLite 3.40 knows milliseconds.
inline constexpr std::string_view kSqliteNow =
    "(cast(round((julianday('now') - 2440587.5) * 86400000.0) as integer) * 1000)";

inline constexpr std::string_view kPostgresNow = "(extract(epoch from clock_timestamp()) * 1000000)::bigint";
/// Whatever the session's time zone is: a producer in another language may have one.
inline constexpr std::string_view kMariadbNow = "timestampdiff(microsecond, '1970-01-01', utc_timestamp(6))";

/// What a message carries besides its id; the same names in `sluice_message`, `sluice_parked` and `sluice_dead_letter`.
inline constexpr std::string_view kContent = "queue, \"key\", type, tenant, trace, headers, payload, created_at";

/// Narrows a statement that ends in a condition on one row of `sluice_message` by the transaction that wrote it, which
/// on PostgreSQL leads its key; nothing when `xid` is 0.
void add_xid(db::Statement& statement, std::int64_t xid);

/// `text` with these replaced: `{now}`; `{content}`; `{bigint}`, the integer type of a cast; `{on conflict a, b
/// update}`, followed by assignments for a row whose key is there; in these `{new c}`, the value that was to be
/// inserted; in MariaDB's tables `{name}`, the type of ASCII names, and `{table}`, what follows the columns.
[[nodiscard]] std::string expand(std::string_view text, db::Dialect dialect);

}  // namespace sluice::outbox::sql
