// The fold: states and a batch of events in, new states, versions, deltas and parked events out. Pure: no database, no
// clock, no thread.
//
//     KeyStates states;                                   // filled from storage; a key that is missing was never seen
//     const FoldResult result = fold(definition, events, states, {.deltas = true});
//     for (const KeyFold& key : result.keys) …            // one per key, however many events it had
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sluice/core/ids.hpp"
#include "sluice/projection/definition.hpp"
#include "sluice/projection/intake.hpp"

namespace sluice::projection {

/// What is known of one key before a fold, and after it.
struct KeyState {
    StatePtr state;           ///< null: not decoded yet
    std::string bytes;        ///< canonical, as stored; empty when there is no row or it was removed
    bool stored = false;      ///< a row exists (that of a removed key stays, without a state)
    bool removed = false;     ///< the row has no state
    bool parked = false;      ///< its events wait
    bool dirty = false;       ///< changed since it was stored
    std::string defect;       ///< why the stored bytes cannot be used; empty: they can
    core::Version version;    ///< events folded in this epoch
    core::Epoch epoch;        ///< its own, from a rebuild of this key; 0: the projection's
    core::Position position;  ///< of the last event folded; 0: none from a queue
    std::uint32_t work = 0;   ///< the fold's own mark
    std::size_t weight = 0;   ///< estimate of its bytes in memory, with `FoldSettings::weigh`
};

struct KeyHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const noexcept { return std::hash<std::string_view>{}(key); }
};
using KeyStates = std::unordered_map<std::string, KeyState, KeyHash, std::equal_to<>>;

struct FoldSettings {
    bool deltas = true;    ///< false: nobody is told; only `states` is changed and `FoldResult::keys` stays empty
    bool undo = false;     ///< a merge patch back to the state before the batch
    bool careful = false;  ///< encode after each event, to find the one that made a state JSON cannot hold
    bool weigh = false;    ///< keep `KeyState::weight`: measured anew whenever a key's version has doubled
    core::Position base;   ///< events up to here are in every state already
};

/// What a batch did to one key.
struct KeyFold {
    std::string key;
    bool had_row = false;
    core::Version loaded_version;
    core::Epoch epoch;  ///< its own; 0: the projection's
    core::Version first_version;
    core::Version version;
    core::Position position;
    bool removed = false;
    bool changed = false;  ///< the bytes differ from those before
    std::string state;     ///< canonical; empty when removed
    std::vector<std::string> deltas;
    std::vector<core::Position> positions;
    std::optional<std::string> undo;  ///< empty also when a merge patch cannot say it
};

/// An event that a key has to wait for.
struct ParkedEvent {
    std::string key;        ///< empty: the event's keys are unknown, nobody waits for it
    std::size_t event = 0;  ///< index into the batch
    bool failed = false;    ///< this one is at fault; else it follows one that is
    std::string text;       ///< what went wrong, with `failed`
};

struct FoldResult {
    std::vector<KeyFold> keys;  ///< in the order of their first event
    std::vector<ParkedEvent> parked;
    std::uint64_t folded = 0;    ///< events times keys
    std::uint64_t replayed = 0;  ///< were in the state already: no-ops
    std::size_t grown = 0;       ///< bytes by which the weights rose
};

/// Folds `events` in order into `states`, which afterwards hold what has to be stored. A key whose `apply` throws keeps
/// the state before that event and waits; others go on. Without `deltas` and `careful` a state that JSON cannot hold
/// is found only by who encodes it.
[[nodiscard]] FoldResult fold(const Definition& definition, std::span<const FoldEvent> events, KeyStates& states,
                              const FoldSettings& settings = {});

}  // namespace sluice::projection
