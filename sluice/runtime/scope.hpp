// Structured concurrency: every coroutine belongs to a scope that is cancelled and joined; nothing is detached.
//
//     runtime::TaskScope scope(shard, log);
//     scope.spawn("poller", poll(deps));
//     scope.cancel();
//     co_await scope.join();          // the destructor asserts that this happened
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "sluice/core/log.hpp"
#include "sluice/runtime/shard.hpp"
#include "sluice/runtime/task.hpp"

namespace sluice::runtime {

/// Owns the coroutines started in it. All calls on its shard, except where said.
class TaskScope {
public:
    TaskScope(Shard& shard, core::Logger log);
    /// Every task must have ended.
    ~TaskScope();
    TaskScope(const TaskScope&) = delete;
    TaskScope& operator=(const TaskScope&) = delete;

    /// Starts `task` on the scope's shard, in a later step. An exception that leaves it (a cancellation apart) is
    /// logged with `name` and counted; it ends neither the scope nor its neighbours. After `cancel` the task is dropped
    /// unstarted.
    void spawn(std::string name, Task<void> task);

    /// Asks every task to end: the await each one is in throws operation_aborted. Later spawns are dropped. Idempotent.
    void cancel();
    [[nodiscard]] bool cancelled() const noexcept;

    /// Returns when no task is left. Not cancellable itself. Several may wait.
    Task<void> join();
    /// As `join`; but when the waiting task is cancelled, it cancels those of the scope, waits for them and throws.
    Task<void> join_or_cancel();

    [[nodiscard]] std::size_t running() const noexcept;
    /// Tasks that ended by an exception other than cancellation.
    [[nodiscard]] std::size_t failed() const noexcept;
    [[nodiscard]] Shard& shard() noexcept;

private:
    struct State;
    std::shared_ptr<State> state_;  // shared with the completion handlers of the tasks
};

}  // namespace sluice::runtime
