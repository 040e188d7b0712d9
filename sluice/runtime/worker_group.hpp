// The workers of one module on one shard: started together, drained together.
//
//     runtime::WorkerGroup workers(shard, log);
//     runtime::Worker& sweep = workers.add("retention", action, settings, listeners);
//     workers.start();
//     const bool in_time = co_await workers.stop(5s);
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "sluice/core/log.hpp"
#include "sluice/runtime/scope.hpp"
#include "sluice/runtime/worker.hpp"

namespace sluice::runtime {

/// Owns its workers. On its shard. Must have been stopped before destruction if it was started.
class WorkerGroup {
public:
    WorkerGroup(Shard& shard, core::Logger log);

    /// Also after `start`: then it begins at once. Throws InvalidSetting. The reference holds until destruction.
    Worker& add(std::string name, Worker::Action action, const WorkerSettings& settings,
                Worker::Listeners listeners = {}, Bulkhead bulkhead = Bulkhead::unlimited());
    void start();

    /// Drain: no run begins any more; runs in progress finish, or are cancelled when `patience` is over; all are
    /// joined. Answers whether all finished by themselves. Cancelled itself, it gives up its patience, joins and
    /// throws.
    Task<bool> stop(std::chrono::steady_clock::duration patience);

    [[nodiscard]] std::size_t running() const noexcept { return running_; }
    /// Workers that ended by a defect.
    [[nodiscard]] std::size_t failed() const noexcept { return scope_.failed(); }

private:
    void begin(Worker& worker);
    Task<void> run(Worker& worker);
    Task<void> all_ended(std::chrono::steady_clock::duration patience);

    Shard& shard_;
    TaskScope scope_;
    Wake ended_;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::size_t running_ = 0;
    bool started_ = false;
};

}  // namespace sluice::runtime
