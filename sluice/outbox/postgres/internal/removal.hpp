// Which messages go with the ticks that named them: on PostgreSQL by transaction, since a late commit has a low id.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/db/statement.hpp"

namespace sluice::outbox::postgres {

/// Whether the snapshot sees any transaction: not that of a tick whose rows got other transaction ids after a restore.
[[nodiscard]] bool sees_any(std::string_view snapshot);

/// Notes in row `first_kept`, before the rows below it are deleted, that every message that the snapshot sees belonged
/// to them. Without one the mark of the oldest row stays.
[[nodiscard]] std::vector<db::Statement> mark_removed(std::int64_t first_kept,
                                                      const std::optional<std::string>& seen_by);

}  // namespace sluice::outbox::postgres
