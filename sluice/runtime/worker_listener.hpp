// What a worker tells those who watch it: logs, statistics, metrics.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <string>

#include "sluice/runtime/worker_fsm.hpp"

namespace sluice::runtime {

/// A run that ended by an exception.
struct WorkerFailure {
    std::exception_ptr error;
    bool panic = false;          ///< neither a core::Error nor a system_error: a defect
    std::uint32_t in_a_row = 1;  ///< this one included
    std::chrono::nanoseconds took{0};
    std::chrono::nanoseconds retry_in{0};  ///< 0 when the worker ends
};

/// Called on the worker's shard, between its awaits, with the worker's name. One listener may watch many workers of one
/// shard. Must neither block nor throw.
class WorkerListener {
public:
    virtual ~WorkerListener() = default;
    virtual void on_start(const std::string& /*worker*/) noexcept {}
    /// The loop was left, by whatever way; nothing follows.
    virtual void on_stop(const std::string& /*worker*/) noexcept {}
    virtual void on_run(const std::string& /*worker*/) noexcept {}
    virtual void on_complete(const std::string& /*worker*/, std::chrono::nanoseconds /*took*/,
                             const Directive& /*directive*/) noexcept {}
    virtual void on_error(const std::string& /*worker*/, const WorkerFailure& /*failure*/) noexcept {}
    /// Waits for a notification, at most `at_most`.
    virtual void on_idle(const std::string& /*worker*/, std::chrono::nanoseconds /*at_most*/) noexcept {}
};

}  // namespace sluice::runtime
