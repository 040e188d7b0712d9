// What /metrics shows of the hub. Each shard adds what has changed since its last tick.
#pragma once

#include <cstddef>

#include "sluice/core/metrics.hpp"
#include "sluice/realtime/internal/accounting.hpp"
#include "sluice/realtime/internal/shard_state.hpp"

namespace sluice::realtime {

/// Copyable handles; see docs/realtime.md, "Metrics".
struct HubMetrics {
    /// What a shard has added so far.
    struct Shown {
        double connections = 0;
        double queued = 0;
        double channels = 0;
        Accounting accounting;
        ShardCounters counters;
    };

    explicit HubMetrics(core::Metrics& metrics);
    void show(Shown& shown, std::size_t connections, std::size_t channels, const ShardState& state) const;

    core::Gauge connections;
    core::Gauge queued;
    core::Gauge channels;
    core::Counter offered;
    core::Counter messages_out;
    core::Counter discarded[static_cast<std::size_t>(EndReason::count)];
    core::Counter evictions;
    core::Counter reaped;
    core::Counter write_calls;
    core::Counter source_opens;
    core::Counter source_ranges;
};

}  // namespace sluice::realtime
