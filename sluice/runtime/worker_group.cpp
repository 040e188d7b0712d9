#include "sluice/runtime/worker_group.hpp"

#include <utility>

#include "sluice/core/assert.hpp"
#include "sluice/runtime/cancellation.hpp"

namespace sluice::runtime {

WorkerGroup::WorkerGroup(Shard& shard, core::Logger log)
    : shard_(shard), scope_(shard, std::move(log)), ended_(shard) {}

Worker& WorkerGroup::add(std::string name, Worker::Action action, const WorkerSettings& settings,
                         Worker::Listeners listeners, Bulkhead bulkhead) {
    workers_.push_back(std::make_unique<Worker>(shard_, std::move(name), std::move(action), settings,
                                                std::move(listeners), std::move(bulkhead)));
    Worker& added = *workers_.back();
    if (started_) begin(added);
    return added;
}

void WorkerGroup::start() {
    SLUICE_ASSERT(!started_, "{} workers are started twice", workers_.size());
    started_ = true;
    for (const auto& worker : workers_)
        begin(*worker);
}

void WorkerGroup::begin(Worker& worker) {
    scope_.spawn(worker.name(), run(worker));
}

Task<void> WorkerGroup::run(Worker& worker) {
    struct Counted {
        WorkerGroup& group;
        explicit Counted(WorkerGroup& of) : group(of) { ++group.running_; }
        ~Counted() {
            --group.running_;
            group.ended_.notify();
        }
    };
    const Counted counted(*this);
    co_await worker.run();
}

Task<bool> WorkerGroup::stop(std::chrono::steady_clock::duration patience) {
    for (const auto& worker : workers_)
        worker->stop();
    std::exception_ptr interrupted;
    try {
        co_await all_ended(patience);
    } catch (...) {
        interrupted = std::current_exception();
    }
    const bool in_time = running_ == 0;
    if (interrupted) co_await begin_cleanup();
    scope_.cancel();
    co_await scope_.join();
    if (interrupted) std::rethrow_exception(interrupted);
    co_return in_time;
}

Task<void> WorkerGroup::all_ended(std::chrono::steady_clock::duration patience) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (running_ > 0) {
        const auto left = deadline - std::chrono::steady_clock::now();
        if (left.count() <= 0) co_return;
        co_await ended_.wait_for(left);
    }
}

}  // namespace sluice::runtime
