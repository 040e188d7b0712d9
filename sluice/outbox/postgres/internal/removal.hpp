// Which messages go with the ticks that named them: on PostgreSQL by transaction, since a late commit has a low id.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "sluice/db/statement.hpp"

namespace sluice::outbox::postgres {

/// Every message of a lower transaction was named by the tick of this snapshot or an earlier one; nothing if it cannot
/// be read.
[[nodiscard]] std::optional<std::int64_t> ended_before(std::string_view snapshot);

/// Notes it in row `first_kept`, before the rows below it are deleted. Without a mark the one of the oldest row stays.
[[nodiscard]] std::vector<db::Statement> mark_removed(std::int64_t first_kept, std::optional<std::int64_t> below);

}  // namespace sluice::outbox::postgres
