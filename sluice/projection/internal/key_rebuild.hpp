// One key anew, in one transaction, so that it is serialized with the live batches of that key.
#pragma once

#include <string>
#include <vector>

#include "sluice/projection/internal/log.hpp"
#include "sluice/projection/reading.hpp"

namespace sluice::projection::internal {

/// Replaces the key's state by the fold of `events`; none: the key is empty again. Its version is the number of events,
/// its epoch rises, what was parked of it goes. Throws `bad_event` when one of them cannot be folded; then nothing
/// changed. `engine` outlives the task.
db::Task<RawState> rebuild_key(Engine& engine, std::string key, std::vector<EventPtr> events);

/// The same from the log, up to its head. Events that were skipped stay out; one that fails parks the key again.
db::Task<RawState> rebuild_key_from_log(Engine& engine, outbox::Outbox& outbox, std::string key);

}  // namespace sluice::projection::internal
