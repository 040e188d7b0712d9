#include "sluice/runtime/profile.hpp"

namespace sluice::runtime {
namespace {

using namespace std::chrono_literals;

// Sweeps gain nothing from haste; they are the same in every profile but one.
WorkerTuning sweeping(std::uint32_t batch, std::chrono::nanoseconds interval) {
    WorkerTuning tuning;
    tuning.batch = batch;
    tuning.active_interval = 100ms;
    tuning.min_interval = 100ms;
    tuning.idle_interval = interval;
    tuning.rest_interval = interval;
    tuning.retry_base = 1s;
    tuning.retry_max = 60s;
    return tuning;
}

struct Pauses {
    std::chrono::nanoseconds active;
    std::chrono::nanoseconds least;
    std::chrono::nanoseconds step;
};

WorkerTuning busy(std::uint32_t batch, Pauses pauses, std::chrono::nanoseconds idle, std::chrono::nanoseconds rest) {
    WorkerTuning tuning;
    tuning.batch = batch;
    tuning.active_interval = pauses.active;
    tuning.min_interval = pauses.least;
    tuning.ramp_step = pauses.step;
    tuning.idle_interval = idle;
    tuning.rest_interval = rest;
    tuning.retry_base = 100ms;
    tuning.retry_max = 30s;
    return tuning;
}

}  // namespace

Profile Profile::balanced() {
    return {.name = "balanced",
            .processor = busy(100, {10ms, 1ms, 3ms}, 50ms, 1s),
            .sequencer = busy(2'000, {5ms, 1ms, 1ms}, 50ms, 1s),
            .retention = sweeping(1'000, 60s),
            .reconciler = sweeping(1'000, 30s)};
}

Profile Profile::low_latency() {
    Profile profile{.name = "low_latency",
                    .processor = busy(50, {0ms, 0ms, 0ms}, 20ms, 1s),
                    .sequencer = busy(1'000, {0ms, 0ms, 0ms}, 20ms, 1s),
                    .retention = sweeping(1'000, 60s),
                    .reconciler = sweeping(1'000, 15s)};
    profile.processor.retry_max = 10s;
    return profile;
}

Profile Profile::high_throughput() {
    return {.name = "high_throughput",
            .processor = busy(1'000, {20ms, 2ms, 5ms}, 50ms, 1s),
            .sequencer = busy(10'000, {20ms, 5ms, 5ms}, 50ms, 1s),
            .retention = sweeping(10'000, 60s),
            .reconciler = sweeping(10'000, 30s)};
}

Profile Profile::relaxed() {
    Profile profile{.name = "relaxed",
                    .processor = busy(100, {100ms, 20ms, 20ms}, 1s, 10s),
                    .sequencer = busy(2'000, {100ms, 20ms, 20ms}, 1s, 10s),
                    .retention = sweeping(1'000, 300s),
                    .reconciler = sweeping(1'000, 120s)};
    profile.processor.retry_base = 1s;
    profile.processor.retry_max = 300s;
    return profile;
}

}  // namespace sluice::runtime
