// Settings for all workers of an outbox at once, by what matters most.
//
//     builder.profile(runtime::Profile::low_latency());
#pragma once

#include <string_view>

#include "sluice/runtime/worker_settings.hpp"

namespace sluice::runtime {

/// One tuning per kind of worker. A worker's own tuning goes before it (see `resolve`).
struct Profile {
    std::string_view name;
    WorkerTuning processor;   ///< hands messages to handlers
    WorkerTuning sequencer;   ///< numbers messages
    WorkerTuning retention;   ///< removes what nobody needs
    WorkerTuning reconciler;  ///< looks for what a lost signal left behind

    /// The default: milliseconds of pause under load for larger batches.
    [[nodiscard]] static Profile balanced();
    /// No pause under load, small batches, a 20 ms safety poll.
    [[nodiscard]] static Profile low_latency();
    /// Large batches.
    [[nodiscard]] static Profile high_throughput();
    /// Few wake-ups and patient retries, for what runs beside something more important.
    [[nodiscard]] static Profile relaxed();
};

}  // namespace sluice::runtime
