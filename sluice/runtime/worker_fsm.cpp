#include "sluice/runtime/worker_fsm.hpp"

#include <algorithm>
#include <limits>

#include "sluice/core/assert.hpp"
#include "sluice/core/mutant.hpp"

namespace sluice::runtime {
namespace {

template <class Enum>
int number(Enum value) {
    return static_cast<int>(value);
}

std::uint32_t one_more(std::uint32_t count) {
    return count == std::numeric_limits<std::uint32_t>::max() ? count : count + 1;
}

}  // namespace

WorkerFsm::WorkerFsm(const WorkerSettings& settings) : settings_(settings), pace_(settings.active_interval) {}

WorkerAction WorkerFsm::start() {
    SLUICE_ASSERT(state_ == State::fresh, "a worker is started in state {}", number(state_));
    return acquire();
}

WorkerAction WorkerFsm::woken(core::SteadyTime now) {
    if (stopping_ && state_ != State::running) return finish();
    switch (state_) {
        case State::pausing:
            return now >= until_ ? acquire() : WorkerAction{WorkerAction::Step::wait, until_};
        case State::resting:
            return now >= until_ || notified_ ? acquire() : WorkerAction{WorkerAction::Step::wait, until_};
        case State::acquiring:
            return {WorkerAction::Step::wait, core::SteadyTime::max()};
        default:
            break;
    }
    SLUICE_ASSERT(false, "a worker is woken in state {}", number(state_));
    return finish();
}

WorkerAction WorkerFsm::permitted() {
    SLUICE_ASSERT(state_ == State::acquiring, "a worker gets a permit in state {}", number(state_));
    if (stopping_) return finish();
    state_ = State::running;
    notified_ = false;  // this run sees what the notification meant
    return {WorkerAction::Step::run, {}};
}

WorkerAction WorkerFsm::ran(const Directive& directive, core::SteadyTime now) {
    leave_run("ran");
    failures_ = 0;
    if (core::mutant("worker_wake_not_sticky")) notified_ = false;
    if (stopping_) return finish();
    if (directive.kind() == Directive::Kind::proceed) {
        idle_runs_ = 0;
        const auto pause = pace_;
        pace_ = std::max(pace_ - settings_.ramp_step, settings_.min_interval);
        return wait(State::pausing, now, pause);
    }
    pace_ = settings_.active_interval;
    if (directive.kind() == Directive::Kind::sleep) return wait(State::resting, now, directive.duration());
    idle_runs_ = directive.messages() > 0 ? 1 : one_more(idle_runs_);
    return wait(State::resting, now, idle_wait());
}

WorkerAction WorkerFsm::failed(core::SteadyTime now, double random01) {
    leave_run("failed");
    pace_ = settings_.active_interval;
    const auto delay = settings_.retry.delay(failures_, random01);
    failures_ = one_more(failures_);
    if (stopping_) return finish();
    if (core::mutant("worker_retry_without_timer")) return wait(State::resting, now, std::chrono::hours(1'000));
    return wait(State::pausing, now, delay);
}

WorkerAction WorkerFsm::panicked(core::SteadyTime now, double random01) {
    if (settings_.panic == PanicPolicy::propagate) stopping_ = true;
    return failed(now, random01);
}

WorkerAction WorkerFsm::acquire() {
    state_ = State::acquiring;
    return {WorkerAction::Step::acquire, core::SteadyTime::max()};
}

WorkerAction WorkerFsm::wait(State state, core::SteadyTime now, std::chrono::nanoseconds duration) {
    state_ = state;
    until_ = duration > core::SteadyTime::max() - now ? core::SteadyTime::max() : now + duration;
    return woken(now);
}

WorkerAction WorkerFsm::finish() {
    state_ = State::stopped;
    return {WorkerAction::Step::stop, {}};
}

void WorkerFsm::leave_run(const char* by) {
    SLUICE_ASSERT(state_ == State::running, "a worker that does not run {} in state {}", by, number(state_));
    state_ = State::fresh;
}

std::chrono::nanoseconds WorkerFsm::idle_wait() const {
    auto interval = settings_.idle_interval;
    for (std::uint32_t i = 1; i < idle_runs_ && interval < settings_.rest_interval; ++i)
        interval = interval > settings_.rest_interval / 2 ? settings_.rest_interval : interval * 2;
    return interval;
}

}  // namespace sluice::runtime
