// Calls of channel sources from one shard: at most so many at once, each with a deadline after which it is cancelled.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <string>

#include "sluice/core/log.hpp"
#include "sluice/realtime/internal/timer_wheel.hpp"
#include "sluice/runtime/scope.hpp"

namespace sluice::realtime {

/// All calls on its shard.
class SourceCalls {
public:
    using Start = std::move_only_function<runtime::Task<void>()>;

    SourceCalls(runtime::Shard& shard, core::Logger log, std::size_t limit, Tick deadline);

    /// Runs `start()`'s task now or when another has ended. The task handles its own failures, cancellation included.
    void run(std::string name, Start start, Tick now);
    /// Cancels what is overdue and starts what has waited.
    void on_tick(Tick now);
    /// Drops what waits and cancels what runs.
    void stop();
    /// Nothing runs.
    [[nodiscard]] bool idle();

private:
    struct Call {
        Call(runtime::Shard& shard, const core::Logger& log, Tick deadline) : scope(shard, log), due(deadline) {}
        runtime::TaskScope scope;
        Tick due;
    };
    struct Waiting {
        std::string name;
        Start start;
    };
    void forget_ended();

    runtime::Shard& shard_;
    core::Logger log_;
    std::size_t limit_;
    Tick deadline_;
    std::list<Call> running_;
    std::deque<Waiting> waiting_;
    bool stopping_ = false;
};

}  // namespace sluice::realtime
