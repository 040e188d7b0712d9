// A sticky wake-up: a notification before the wait is not lost, many before it count once.
//
//     runtime::Wake wake(shard);
//     wake.notify();                                   // any thread
//     const bool woken = co_await wake.wait_for(50ms); // true at once
#pragma once

#include <chrono>
#include <memory>

#include "sluice/runtime/shard.hpp"
#include "sluice/runtime/task.hpp"

namespace sluice::runtime {

/// One waiter at a time, on the shard; `notify` from any thread.
class Wake {
public:
    explicit Wake(Shard& shard);
    ~Wake();
    Wake(const Wake&) = delete;
    Wake& operator=(const Wake&) = delete;

    void notify();
    /// Waits for a notification and takes it. Throws operation_aborted when cancelled.
    Task<void> wait();
    /// As `wait`, at most `limit`. Answers whether a notification was taken.
    Task<bool> wait_for(std::chrono::steady_clock::duration limit);

private:
    struct State;
    std::shared_ptr<State> state_;  // shared with messages on their way from other threads
};

/// Waits `duration` on the current shard. Throws operation_aborted when cancelled.
Task<void> sleep_for(std::chrono::steady_clock::duration duration);

}  // namespace sluice::runtime
