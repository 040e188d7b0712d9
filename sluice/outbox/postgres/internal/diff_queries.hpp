// The statements of a tick on PostgreSQL, and their rows. Text and values only; no I/O.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/db/row.hpp"
#include "sluice/db/statement.hpp"
#include "sluice/outbox/internal/new_rows.hpp"
#include "sluice/outbox/postgres/internal/snapshot.hpp"

namespace sluice::outbox::postgres {

/// A message by its key in `sluice_message`.
struct RowRef {
    std::int64_t xid = 0;
    std::int64_t id = 0;
};

/// What a tick reads beside the rows.
struct Facts {
    std::string snapshot;
    std::string identity;
    std::int64_t last_value = 0;
};

/// A fresh log has no statistics, and a plan by guesses scans all of it (measured 243 ms): by the key, always. Until
/// the transaction ends.
[[nodiscard]] db::Statement plan_by_key();

/// The last number, 0 before the first.
[[nodiscard]] db::Statement select_newest();

/// The snapshot of the newest tick that ended its diff, and of the newest such before tick `n`.
[[nodiscard]] db::Statement select_base();
[[nodiscard]] db::Statement select_base_before(std::int64_t n);

/// The snapshot of the transaction, the identity of server, database and timeline, and where the ids stand.
[[nodiscard]] db::Statement select_facts();
[[nodiscard]] Facts read_facts(const db::Row& row);
/// An identity without its timeline: what transaction ids belong to.
[[nodiscard]] std::string_view server_of(std::string_view identity);

/// The rows of `diff` by rising id, at most `limit`; payloads until `bytes` of them are there, at least one.
[[nodiscard]] db::Statement select_rows(const Diff& diff, std::int64_t limit, std::int64_t bytes);
/// Only which they are.
[[nodiscard]] db::Statement select_references(const Diff& diff, std::int64_t limit);
[[nodiscard]] std::vector<RowRef> read_references(const db::Result& rows);
/// Those rows as `select_rows` answers them.
[[nodiscard]] db::Statement select_referenced(std::span<const RowRef> references, std::int64_t bytes);
/// At most `most` of what `select_rows` or `select_referenced` answered.
[[nodiscard]] NewRows read_rows(const db::Result& rows, std::size_t most);

/// What the ticks up to `last` named that those of `base` (the answer of `select_base_before`) did not. Where a
/// snapshot is not known (retention took it, or `rebaseline`), it bounds nothing.
[[nodiscard]] Diff diff_between(const db::Result& base, const Tick& last);

/// Rows of `diff` with these ids in this order, as `select_rows` answers them: `bytes` counts in that order.
[[nodiscard]] db::Statement select_log(const Diff& diff, std::vector<std::int64_t> ids, std::int64_t bytes);

/// Columns of `select_rows` behind the id and sql::kContent.
inline constexpr std::size_t kXidColumn = 9;
inline constexpr std::size_t kFitsColumn = 10;

}  // namespace sluice::outbox::postgres
