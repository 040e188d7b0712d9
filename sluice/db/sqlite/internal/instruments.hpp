// The metrics of one SQLite data source; docs/data.md lists them.
#pragma once

#include <string>

#include "sluice/core/metrics.hpp"

namespace sluice::db::sqlite {

/// Handles into core::Metrics, labelled with the source. Copyable, thread-safe.
struct Instruments {
    Instruments(core::Metrics& metrics, const std::string& source);

    core::Counter units_committed;
    core::Counter units_rolled_back;
    core::Counter units_failed;
    core::Counter units_overdue;
    core::Counter units_lost;
    core::Counter groups_committed;
    core::Counter groups_rolled_back;
    core::Counter groups_lost;
    core::Counter refused;
    core::Gauge waiting;
    core::Gauge readers_in_use;
    core::Histogram group_size;
    core::Histogram unit_wait;
    core::Histogram unit_hold;
    core::Histogram commit;
    core::Histogram reader_wait;
};

}  // namespace sluice::db::sqlite
