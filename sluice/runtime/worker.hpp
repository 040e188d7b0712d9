// A background task: an action that runs when there is something to do, at its pace, within its bulkhead, and again
// after errors.
//
//     runtime::Worker worker(shard, "retention", [&] { return sweep(deps); }, settings);
//     scope.spawn(worker.name(), worker.run());
//     worker.notify();                        // any thread
//     worker.stop();                          // the run in progress is the last
//     co_await scope.join();
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sluice/core/random.hpp"
#include "sluice/runtime/bulkhead.hpp"
#include "sluice/runtime/shard.hpp"
#include "sluice/runtime/task.hpp"
#include "sluice/runtime/wake.hpp"
#include "sluice/runtime/worker_fsm.hpp"
#include "sluice/runtime/worker_listener.hpp"
#include "sluice/runtime/worker_settings.hpp"

namespace sluice::runtime {

/// Drives one WorkerFsm (which states the rules). Outlives its `run`. On its shard, except `notify`.
class Worker {
public:
    using Action = std::function<Task<Directive>()>;
    using Listeners = std::vector<std::shared_ptr<WorkerListener>>;

    /// Throws InvalidSetting. `listeners` are shared with other workers of the shard.
    Worker(Shard& shard, std::string name, Action action, const WorkerSettings& settings, Listeners listeners = {},
           Bulkhead bulkhead = Bulkhead::unlimited());

    [[nodiscard]] const std::string& name() const noexcept { return name_; }

    /// The loop, once. Returns after `stop`; throws operation_aborted when cancelled (also in the middle of the
    /// action), and what the action threw if that is a defect and the policy says so.
    Task<void> run();

    /// A run that begins after this call will follow, unless the worker stops. Any thread; cheap when repeated.
    void notify();
    /// Ends the loop: at once when it waits, after the action when it runs.
    void stop();
    /// For an action that can end early.
    [[nodiscard]] bool stopping() const noexcept { return stopping_; }

private:
    Task<WorkerAction> wait(core::SteadyTime until);
    Task<WorkerAction> run_action();
    WorkerAction after_run(const Directive& directive, std::chrono::nanoseconds took);
    WorkerAction after_error(const std::exception_ptr& error, std::chrono::nanoseconds took);
    WorkerAction request_permit();
    [[nodiscard]] core::SteadyTime now() const noexcept { return shard_.clock().steady_now(); }

    Shard& shard_;
    std::string name_;
    Action action_;
    Listeners listeners_;
    Bulkhead bulkhead_;
    PanicPolicy panic_policy_;
    WorkerFsm fsm_;
    core::Random random_;
    Wake bell_;  // everything that ends a wait rings it
    std::atomic<bool> notified_{false};
    bool stopping_ = false;
    std::exception_ptr panic_;
    std::optional<Permit> permit_;
};

}  // namespace sluice::runtime
