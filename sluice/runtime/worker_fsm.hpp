// The rules of a worker's loop without its waits: what to do after each run, error, notification and timeout.
//
//     WorkerFsm fsm(settings);
//     WorkerAction next = fsm.start();                      // acquire, then run, then wait …
//     next = fsm.ran(Directive::proceed(20), now);          // {wait, now + pause}
//
// Rules: the first run is at once. `proceed` pauses by the pace, which ramps from the active interval down to the
// smallest; `idle` waits for a notification, at most the idle interval, doubled with every further idle run up to the
// rest interval; `sleep` waits for its time or a notification. An error waits out its back-off whatever comes, and is
// then retried by itself. A notification is never lost: a run that begins after it follows.
#pragma once

#include <chrono>
#include <cstdint>

#include "sluice/core/clock.hpp"
#include "sluice/runtime/worker_settings.hpp"

namespace sluice::runtime {

/// What a run found. `messages` only feeds the statistics and the idle interval.
class Directive {
public:
    enum class Kind : std::uint8_t { proceed, idle, sleep };

    /// There may be more: run again soon.
    [[nodiscard]] static Directive proceed(std::uint64_t messages = 0) { return {Kind::proceed, {}, messages}; }
    /// Nothing more: run when notified, or to be safe.
    [[nodiscard]] static Directive idle(std::uint64_t messages = 0) { return {Kind::idle, {}, messages}; }
    /// Something is due in `duration` (>= 0): run then, or when notified.
    [[nodiscard]] static Directive sleep(std::chrono::nanoseconds duration, std::uint64_t messages = 0) {
        return {Kind::sleep, duration, messages};
    }

    [[nodiscard]] Kind kind() const noexcept { return kind_; }
    [[nodiscard]] std::chrono::nanoseconds duration() const noexcept { return duration_; }
    [[nodiscard]] std::uint64_t messages() const noexcept { return messages_; }

private:
    Directive(Kind kind, std::chrono::nanoseconds duration, std::uint64_t messages)
        : kind_(kind), duration_(duration), messages_(messages) {}

    Kind kind_;
    std::chrono::nanoseconds duration_;
    std::uint64_t messages_;
};

struct WorkerAction {
    enum class Step : std::uint8_t {
        wait,     ///< for a notification, a permit or `until`; then `woken`, or `permitted` if there is a permit
        acquire,  ///< ask for a permit; with it `permitted`, without it as `wait`
        run,      ///< the action; then `ran`, `failed` or `panicked`
        stop,     ///< leave the loop; the machine takes no more inputs
    };
    Step step = Step::stop;
    core::SteadyTime until = core::SteadyTime::max();
};

/// Pure. Inputs that do not fit the action asked for before are programming errors and assert.
class WorkerFsm {
public:
    explicit WorkerFsm(const WorkerSettings& settings);

    [[nodiscard]] WorkerAction start();
    /// The wait ended: by a notification given to `notify`, by time, or for nothing.
    [[nodiscard]] WorkerAction woken(core::SteadyTime now);
    [[nodiscard]] WorkerAction permitted();
    [[nodiscard]] WorkerAction ran(const Directive& directive, core::SteadyTime now);
    /// `random01` in [0, 1) spreads the retry.
    [[nodiscard]] WorkerAction failed(core::SteadyTime now, double random01);
    /// As `failed`, or `stop` by the panic policy.
    [[nodiscard]] WorkerAction panicked(core::SteadyTime now, double random01);

    /// Something happened. At any time; the next action shows it.
    void notify() noexcept { notified_ = true; }
    /// A run in progress is the last; a wait ends at the next `woken`. At any time.
    void request_stop() noexcept { stopping_ = true; }

    /// Errors and panics since the last good run.
    [[nodiscard]] std::uint32_t failures() const noexcept { return failures_; }

private:
    enum class State : std::uint8_t { fresh, pausing, resting, acquiring, running, stopped };

    WorkerAction acquire();
    WorkerAction wait(State state, core::SteadyTime now, std::chrono::nanoseconds duration);
    WorkerAction finish();
    void leave_run(const char* by);
    std::chrono::nanoseconds idle_wait() const;

    WorkerSettings settings_;
    State state_ = State::fresh;
    core::SteadyTime until_{};
    std::chrono::nanoseconds pace_;
    std::uint32_t failures_ = 0;
    std::uint32_t idle_runs_ = 0;  // in a row
    bool notified_ = false;
    bool stopping_ = false;
};

}  // namespace sluice::runtime
