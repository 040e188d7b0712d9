// What one projection, and the projections of one data source together, can be set to.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "sluice/projection/intake.hpp"

namespace sluice::projection {

/// How much of the deltas is kept for clients that resume and nodes that catch up: whichever ends first.
struct DeltaLog {
    std::int64_t versions = 1'000;  ///< per key; up to a quarter more stays for a while
    std::chrono::milliseconds age = std::chrono::hours(24);
};

/// What to do with stored states whose `state_version` is not the program's. They are never folded.
enum class OnChangedState : std::uint8_t {
    refuse,   ///< `prepare` throws `state_version`
    rebuild,  ///< events wait, reads are marked stale, and `attach` rebuilds from the log
};

/// Of one projection.
struct Options {
    Mode mode = Mode::merged;
    /// Nothing: nobody resumes or looks back; a client that missed a delta gets the whole state.
    std::optional<DeltaLog> delta_log = DeltaLog{};
    OnChangedState on_changed_state = OnChangedState::refuse;
};

/// Of all projections of one data source. Zero is refused by name.
struct Settings {
    std::size_t cache_bytes = 64 * 1024 * 1024;     ///< of hot states, per projection
    std::size_t rebuild_bytes = 256 * 1024 * 1024;  ///< of states folded in memory before they are written out
    std::uint32_t log_chunk = 4'000;                ///< messages read from the log at once
    std::uint32_t write_chunk = 4'000;              ///< rows written in one transaction of a rebuild
    std::int64_t parked_limit = 10'000;             ///< events parked per projection; beyond, it stops
    std::uint32_t trim_chunk = 500;                 ///< delta rows removed at once for their age
};

}  // namespace sluice::projection
