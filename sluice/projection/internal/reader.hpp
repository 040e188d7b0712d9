// Reads of one projection: one statement each, so that state, version and epoch are of one snapshot. No lock.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sluice/projection/internal/engine.hpp"
#include "sluice/projection/reading.hpp"

namespace sluice::projection::internal {

/// Never nothing: an unseen key is State{} at version 0. Throws `stored_state` when the bytes do not match their
/// checksum. `engine` outlives the tasks.
db::Task<RawState> read_raw(const Engine& engine, std::string key);
/// Only keys that have a state, in no order.
db::Task<std::vector<RawState>> read_many_raw(const Engine& engine, std::vector<std::string> keys);
/// At most `limit` keys that begin with `prefix`, in byte order, behind `after`.
db::Task<std::vector<RawState>> list_raw(const Engine& engine, std::string prefix, std::int64_t limit,
                                         std::string after);
/// The deltas `after` < version <= `to`, all of them; nothing when some are no longer kept or the epoch is another.
db::Task<std::optional<std::vector<RawDelta>>> range_raw(const Engine& engine, std::string key, core::Epoch epoch,
                                                         core::Version after, core::Version to);

}  // namespace sluice::projection::internal
