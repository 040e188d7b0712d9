// Keys that wait: what they wait for, and how they are let go.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sluice/projection/internal/engine.hpp"
#include "sluice/projection/rebuild.hpp"

namespace sluice::projection::internal {

/// The projection as it stands in the database, with at most `limit` events at fault.
db::Task<ProjectionStatus> read_status(const Engine& engine, std::int64_t limit);

/// Folds what the key waits with, oldest first, until all of it is in the state or an event fails again. `skip`: leaves
/// the first one out for good. Throws `not_found` when nothing of the key waits, `bad_event` for the empty key's retry:
/// its events belong to keys that went on without them. `engine` outlives the task.
db::Task<ReleaseReport> release(Engine& engine, std::string key, bool skip);

}  // namespace sluice::projection::internal
