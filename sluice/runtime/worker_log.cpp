#include "sluice/runtime/worker_log.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace sluice::runtime {
namespace {

double milliseconds_of(std::chrono::nanoseconds duration) {
    return std::chrono::duration<double, std::milli>(duration).count();
}

}  // namespace

void WorkerTroubleLog::on_start(const std::string& worker) noexcept {
    log_.debug("{} starts", worker);
}

void WorkerTroubleLog::on_stop(const std::string& worker) noexcept {
    log_.debug("{} has stopped", worker);
}

void WorkerTroubleLog::on_complete(const std::string& worker, std::chrono::nanoseconds /*took*/,
                                   const Directive& /*directive*/) noexcept {
    const std::uint32_t failures = std::exchange(failures_, 0);
    if (failures > 0) log_.info("{} works again after {} failures", worker, failures);
}

void WorkerTroubleLog::on_error(const std::string& worker, const WorkerFailure& failure) noexcept {
    failures_ = failure.in_a_row;
    const std::string cause = core::describe(failure.error);
    const double retry_ms = milliseconds_of(failure.retry_in);
    if (failure.panic)
        log_.error("{} met a defect ({} in a row): {}", worker, failure.in_a_row, cause);
    else if (std::has_single_bit(failure.in_a_row))
        log_.warn("{} failed ({} in a row), next try in {:.0f} ms: {}", worker, failure.in_a_row, retry_ms, cause);
    else
        log_.debug("{} failed ({} in a row), next try in {:.0f} ms: {}", worker, failure.in_a_row, retry_ms, cause);
}

WorkerStatistics::WorkerStatistics(std::string kind, std::chrono::nanoseconds interval, const core::Clock& clock,
                                   core::Logger log)
    : kind_(std::move(kind)), interval_(interval), clock_(clock), log_(std::move(log)), since_(clock.steady_now()) {}

void WorkerStatistics::on_start(const std::string& /*worker*/) noexcept {
    ++workers_;
}

void WorkerStatistics::on_stop(const std::string& /*worker*/) noexcept {
    if (--workers_ == 0) tell();
}

void WorkerStatistics::on_complete(const std::string& /*worker*/, std::chrono::nanoseconds took,
                                   const Directive& directive) noexcept {
    count(took);
    counts_.messages += directive.messages();
    counts_.empty += directive.messages() == 0 ? 1 : 0;
    tell_if_due();
}

void WorkerStatistics::on_error(const std::string& /*worker*/, const WorkerFailure& failure) noexcept {
    count(failure.took);
    ++counts_.failed;
    tell_if_due();
}

void WorkerStatistics::count(std::chrono::nanoseconds took) {
    ++counts_.runs;
    counts_.total += took;
    counts_.longest = std::max(counts_.longest, took);
}

void WorkerStatistics::tell_if_due() {
    if (clock_.steady_now() - since_ >= interval_) tell();
}

void WorkerStatistics::tell() {
    const auto now = clock_.steady_now();
    const double seconds = std::chrono::duration<double>(now - std::exchange(since_, now)).count();
    const Counts told = std::exchange(counts_, {});
    if (interval_.count() == 0 || (told.messages == 0 && told.failed == 0)) return;
    const double total_ms = milliseconds_of(told.total);
    log_.info(
        "{}: {} messages in {:.1f} s; {} runs, {} empty, {} failed; {:.1f} ms in runs, {:.3f} mean, {:.1f} longest",
        kind_, told.messages, seconds, told.runs, told.empty, told.failed, total_ms,
        total_ms / static_cast<double>(told.runs), milliseconds_of(told.longest));
}

}  // namespace sluice::runtime
