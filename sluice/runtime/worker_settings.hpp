// How fast a worker works, rests and retries. What a worker does not set comes from its profile, else from the default.
//
//     runtime::WorkerTuning tuning;
//     tuning.idle_interval = 20ms;
//     const runtime::WorkerSettings settings = runtime::resolve("sequencer", tuning, profile.sequencer);
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/core/backoff.hpp"
#include "sluice/core/error.hpp"

namespace sluice::runtime {

/// What becomes of an exception that is no core::Error and no system_error: a defect, not a failed call.
enum class PanicPolicy : std::uint8_t {
    retry,      ///< as any error: logged, counted, tried again after the back-off
    propagate,  ///< ends the worker; its scope logs it
};

/// Complete settings of one worker, checked by `resolve`.
struct WorkerSettings {
    std::uint32_t batch = 100;                           ///< items per run, for the action to heed
    std::chrono::nanoseconds active_interval{0};         ///< pause after the first of several busy runs …
    std::chrono::nanoseconds min_interval{0};            ///< … and after the later ones, once ramped down
    std::chrono::nanoseconds ramp_step{0};               ///< taken off the pause after each busy run
    std::chrono::nanoseconds idle_interval{50'000'000};  ///< longest wait for a notification after the first idle run,
    std::chrono::nanoseconds rest_interval{1'000'000'000};  ///< doubled for each further one up to this
    core::Backoff retry{};                                  ///< after errors, whatever notifications come
    PanicPolicy panic = PanicPolicy::retry;
};

/// Settings of which any may be left open.
struct WorkerTuning {
    std::optional<std::uint32_t> batch;
    std::optional<std::chrono::nanoseconds> active_interval;
    std::optional<std::chrono::nanoseconds> min_interval;
    std::optional<std::chrono::nanoseconds> ramp_step;
    std::optional<std::chrono::nanoseconds> idle_interval;
    std::optional<std::chrono::nanoseconds> rest_interval;
    std::optional<std::chrono::nanoseconds> retry_base;
    std::optional<std::chrono::nanoseconds> retry_max;
    std::optional<PanicPolicy> panic;
};

/// A setting that cannot be meant. `what()` names it, its value and what would be right.
class InvalidSetting final : public core::Error {
public:
    InvalidSetting(std::string setting, const std::string& reason)
        : core::Error(setting + ": " + reason), setting_(std::move(setting)) {}
    /// "worker.setting".
    [[nodiscard]] const std::string& setting() const noexcept { return setting_; }

private:
    std::string setting_;
};

/// `own` before `profile` before the defaults, checked. Throws InvalidSetting naming "<worker>.<setting>".
[[nodiscard]] WorkerSettings resolve(std::string_view worker, const WorkerTuning& own, const WorkerTuning& profile);

/// Throws InvalidSetting naming "<worker>.<setting>".
void check(std::string_view worker, const WorkerSettings& settings);

}  // namespace sluice::runtime
