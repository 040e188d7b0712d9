// Two listeners that write to the log: each worker's troubles, and what all workers of a kind did per interval.
//
//     auto statistics = std::make_shared<runtime::WorkerStatistics>("processor", 60s, shard.clock(), log);
//     runtime::Worker worker(shard, "processor orders/3", action, settings, {statistics});
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "sluice/core/clock.hpp"
#include "sluice/core/log.hpp"
#include "sluice/runtime/worker_listener.hpp"

namespace sluice::runtime {

/// Start and stop at debug; failures at warn when their number in a row is a power of two, else at debug, so that a
/// database that is down for an hour writes a dozen lines; a defect always at error; the recovery at info.
class WorkerTroubleLog final : public WorkerListener {
public:
    explicit WorkerTroubleLog(core::Logger log) : log_(std::move(log)) {}

    void on_start(const std::string& worker) noexcept override;
    void on_stop(const std::string& worker) noexcept override;
    void on_complete(const std::string& worker, std::chrono::nanoseconds took,
                     const Directive& directive) noexcept override;
    void on_error(const std::string& worker, const WorkerFailure& failure) noexcept override;

private:
    core::Logger log_;
    std::uint32_t failures_ = 0;  // in a row, of the one worker that this listener watches
};

/// One line per interval and kind: runs, empty ones, failed ones, time, messages. Silent when nothing but empty runs
/// happened; the rest is told when the last worker of the kind stops. Workers of one shard.
class WorkerStatistics final : public WorkerListener {
public:
    /// `interval` 0 = never a line.
    WorkerStatistics(std::string kind, std::chrono::nanoseconds interval, const core::Clock& clock, core::Logger log);

    void on_start(const std::string& worker) noexcept override;
    void on_stop(const std::string& worker) noexcept override;
    void on_complete(const std::string& worker, std::chrono::nanoseconds took,
                     const Directive& directive) noexcept override;
    void on_error(const std::string& worker, const WorkerFailure& failure) noexcept override;

private:
    struct Counts {
        std::uint64_t runs = 0;
        std::uint64_t empty = 0;
        std::uint64_t failed = 0;
        std::uint64_t messages = 0;
        std::chrono::nanoseconds total{0};
        std::chrono::nanoseconds longest{0};
    };
    void count(std::chrono::nanoseconds took);
    void tell_if_due();
    void tell();

    std::string kind_;
    std::chrono::nanoseconds interval_;
    const core::Clock& clock_;
    core::Logger log_;
    core::SteadyTime since_;
    std::uint32_t workers_ = 0;
    Counts counts_;
};

}  // namespace sluice::runtime
