// The statements that write messages, per database. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "sluice/db/row.hpp"
#include "sluice/db/statement.hpp"
#include "sluice/outbox/internal/queue_numbers.hpp"
#include "sluice/outbox/queue.hpp"

namespace sluice::outbox {

/// One message. Without its queue's number the statement looks for it and answers id and number; with it, it answers
/// the id where the database tells it in no other way.
[[nodiscard]] db::Statement append_one(Outgoing message, db::Dialect dialect,
                                       std::optional<std::int64_t> queue_number = std::nullopt);

/// All of them in the order given: on PostgreSQL in few statements of arrays, on MariaDB of rows, else in one statement
/// each.
[[nodiscard]] std::vector<db::Statement> append_all(std::vector<Outgoing> messages, db::Dialect dialect,
                                                    const QueueNumbers& known);

/// What the statements of `append_all` answered, in the order of the messages.
struct Appended {
    std::int64_t id = 0;
    std::optional<std::int64_t> queue_number;  ///< where it had to be looked for
};
[[nodiscard]] std::vector<Appended> appended(std::span<const db::Result> results);

}  // namespace sluice::outbox
