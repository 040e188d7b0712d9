// The statements that write messages, per database. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sluice/db/row.hpp"
#include "sluice/db/statement.hpp"
#include "sluice/outbox/queue.hpp"

namespace sluice::outbox {

/// One message.
[[nodiscard]] db::Statement append_one(Outgoing message, db::Dialect dialect);

/// All of them in the order given: on PostgreSQL in few statements of arrays, elsewhere in one statement each.
[[nodiscard]] std::vector<db::Statement> append_all(std::vector<Outgoing> messages, db::Dialect dialect);

/// The ids that the statements of `append_all` gave, in the order of the messages.
[[nodiscard]] std::vector<std::int64_t> appended_ids(std::span<const db::Result> results);

}  // namespace sluice::outbox
