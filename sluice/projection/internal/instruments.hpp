// The metrics of one projection; docs/projections.md explains each.
#pragma once

#include <string>

#include "sluice/core/metrics.hpp"

namespace sluice::projection::internal {

/// Every series carries the labels `source` and `projection`.
struct Instruments {
    Instruments(core::Metrics& metrics, const std::string& source, const std::string& projection);

    core::Counter batches;
    core::Counter events;
    core::Counter replayed;
    core::Counter parked;
    core::Counter conflicts;
    core::Counter cache_hits;
    core::Counter cache_misses;
    core::Counter deltas;
    core::Counter rebuilds;
    core::Gauge rebuild_events;
    core::Gauge parked_keys;
    core::Gauge lag_events;
    core::Gauge lag_seconds;
    core::Histogram batch_events;
    core::Histogram load_seconds;
    core::Histogram fold_seconds;
    core::Histogram write_seconds;
    core::Histogram commit_to_delta;
};

}  // namespace sluice::projection::internal
