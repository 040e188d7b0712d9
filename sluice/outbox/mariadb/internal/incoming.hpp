// The statements of numbering, reading and removing on MariaDB. Ids travel as one JSON array; `straight_join` and the
// forced key make the server look up each of them, whatever its statistics say: a scan would read whole messages, and a
// deleting one would wait for every open unit.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sluice/db/row.hpp"
#include "sluice/db/statement.hpp"
#include "sluice/outbox/internal/new_rows.hpp"

namespace sluice::outbox::mariadb {

/// The number of the newest tick, 0 if there is none, and the server's identity.
[[nodiscard]] db::Statement select_newest();
/// What numbering needs of the server's settings: for `settings_fault`.
[[nodiscard]] db::Statement select_settings();
/// What is wrong with them, in words; empty: nothing.
[[nodiscard]] std::string settings_fault(const db::Row& row);

/// Committed messages that no tick has numbered, by id behind `after`: whole, at most `limit`.
[[nodiscard]] db::Statement select_incoming(std::int64_t after, std::int64_t limit);
/// What a reader would take that goes by ids: for the test that shows what it loses.
[[nodiscard]] db::Statement select_behind(std::int64_t id, std::int64_t limit);
/// Those of `select_incoming` with what numbering needs alone.
[[nodiscard]] db::Statement select_incoming_references(std::int64_t after, std::int64_t limit);
/// Adds the rows of `select_incoming`; contents until `bytes` of payload are in memory.
void take_incoming(const db::Result& rows, std::size_t bytes, NewRows& into);
void take_references(const db::Result& rows, NewRows& into);
/// These are numbered. Rows of units that are still open stay, whatever their ids.
[[nodiscard]] db::Statement delete_incoming(const std::vector<std::int64_t>& ids);

/// Whole messages in no order; one that is gone is not among them.
[[nodiscard]] db::Statement select_messages(std::vector<std::int64_t> ids);
[[nodiscard]] db::Statement delete_messages(std::vector<std::int64_t> ids);

}  // namespace sluice::outbox::mariadb
