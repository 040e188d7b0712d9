// What the parts of a hub's shard share: limits, the tick, the books.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "sluice/realtime/internal/accounting.hpp"
#include "sluice/realtime/internal/batch.hpp"
#include "sluice/realtime/internal/timer_wheel.hpp"
#include "sluice/realtime/settings.hpp"

namespace sluice::realtime {

/// Totals since the start; what /metrics shows is taken from here once a tick.
struct ShardCounters {
    std::uint64_t write_calls = 0;
    std::uint64_t evictions = 0;
    std::uint64_t reaped = 0;
    std::uint64_t lost_positions = 0;
    std::uint64_t source_opens = 0;
    std::uint64_t source_ranges = 0;
};

struct ShardState {
    explicit ShardState(const HubSettings& limits) : settings(limits), replies(Batch::make(pinned_bytes)) {}

    const HubSettings& settings;
    Accounting accounting;
    ShardCounters counters;
    std::size_t pinned_bytes = 0;  ///< of all batches alive; before the batches, which count themselves out
    Tick tick = 1;
    BatchRef replies;  ///< own replies of all connections in this turn

    /// At least one tick.
    [[nodiscard]] Tick ticks(std::chrono::milliseconds duration) const noexcept {
        return static_cast<Tick>(std::max<std::int64_t>(1, duration / settings.tick));
    }
};

}  // namespace sluice::realtime
