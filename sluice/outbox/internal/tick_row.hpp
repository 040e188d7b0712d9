// A tick as a row of `sluice_tick`.
#pragma once

#include <cstdint>
#include <string_view>

#include "sluice/db/row.hpp"
#include "sluice/db/statement.hpp"
#include "sluice/outbox/internal/tick.hpp"

namespace sluice::outbox {

/// The columns that `read_tick` expects, in its order.
inline constexpr std::string_view kTickColumns =
    "n, epoch, ticked_at, first_position, lowest_id, highest_id, map_version, refs, checkpoint, snapshot, cut, "
    "identity, "
    "last_value";

/// Throws outbox::Error `corrupt` naming the tick when its bytes do not decode.
[[nodiscard]] Tick read_tick(const db::Row& row, std::string_view source);
/// Fails with a conflict when tick n exists: somebody else has numbered.
[[nodiscard]] db::Statement insert_tick(const Tick& tick);

/// The newest row that a start begins with, whose checkpoint says where every lane stood.
[[nodiscard]] db::Statement select_checkpoint();
[[nodiscard]] db::Statement select_ticks(std::int64_t from, std::int64_t limit);

}  // namespace sluice::outbox
