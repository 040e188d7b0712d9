// What a rebuild is asked for and what it answers.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sluice/core/ids.hpp"
#include "sluice/projection/definition.hpp"

namespace sluice::projection {

struct RebuildOptions {
    /// Says in so many words that a model built from a part of the events is wanted: without it a rebuild is refused,
    /// naming the oldest position kept, when the log no longer begins where the projection began.
    bool accept_partial_log = false;
};

struct RebuildReport {
    std::int64_t generation = 0;
    core::Epoch epoch;
    std::uint64_t events = 0;            ///< folded, times the keys they concern
    std::uint64_t keys = 0;              ///< of the new generation
    std::uint64_t equal = 0;             ///< keys whose state is what it was: told `position`
    std::uint64_t changed = 0;           ///< told `reset`
    std::uint64_t parked = 0;            ///< events set aside
    std::vector<std::string> differing;  ///< the first keys of `changed`, at most kListedKeys
    std::chrono::milliseconds duration{0};
};

/// The stored states against a fold of the log.
struct VerifyReport {
    std::uint64_t events = 0;
    std::uint64_t keys = 0;
    std::uint64_t differing = 0;
    std::vector<std::string>
        examples;  ///< "key 'x': stored … at version 3, folded … at version 4", at most kListedKeys
    [[nodiscard]] bool equal() const noexcept { return differing == 0; }
};

inline constexpr std::size_t kListedKeys = 20;

/// A caller's own sequence of events, oldest first; nothing ends it.
template <class Event>
using EventSource = std::function<std::optional<Event>()>;
using AnyEventSource = std::function<EventPtr()>;

/// A key whose events wait.
struct ParkedKey {
    std::string key;          ///< empty: the event's keys are unknown and nobody waits for it
    core::Position position;  ///< of the event at fault
    std::string queue;
    std::string type;
    std::string payload;
    std::string text;  ///< what went wrong
    std::int64_t attempts = 0;
    std::int64_t waiting = 0;  ///< events behind it
};

/// What `retry` and `skip` did.
struct ReleaseReport {
    std::uint64_t folded = 0;  ///< parked events that are in the state now
    bool released = false;     ///< nothing of the key waits any more
    std::string text;          ///< else: what the next event failed of
};

/// A projection as it stands.
struct ProjectionStatus {
    std::string name;
    std::int64_t generation = 0;
    core::Epoch epoch;
    int state_version = 0;  ///< of the stored states
    bool stale = false;     ///< not the program's
    bool rebuilding = false;
    std::uint64_t rebuilt_events = 0;  ///< by the rebuild in progress
    core::Position position;           ///< of the newest message folded
    std::int64_t lag = 0;              ///< messages of the whole log behind its head; 0 when not attached
    std::vector<ParkedKey> parked;
    std::string stopped;  ///< why the last batch failed; empty: it did not
};

}  // namespace sluice::projection
