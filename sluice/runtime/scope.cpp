#include "sluice/runtime/scope.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/system/system_error.hpp>

#include "sluice/core/assert.hpp"
#include "sluice/core/error.hpp"
#include "sluice/runtime/foreign.hpp"

namespace sluice::runtime {
namespace {

struct RunningTask {
    std::string name;
    boost::asio::cancellation_signal signal;
};

bool is_cancellation(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const boost::system::system_error& e) {
        return e.code() == boost::asio::error::operation_aborted;
    } catch (...) {
        return false;
    }
}

}  // namespace

struct TaskScope::State {
    State(Shard& on, core::Logger logger) : shard(on), log(std::move(logger)) {}

    void ended(const std::shared_ptr<RunningTask>& task, const std::exception_ptr& error) {
        if (error && !is_cancellation(error)) {
            ++failed;
            log.error("task '{}' ended by an error: {}", task->name, core::describe(error));
        }
        std::erase(tasks, task);
        if (!tasks.empty()) return;
        for (auto& waiter : std::exchange(waiters, {}))
            waiter(true);
    }

    Shard& shard;
    core::Logger log;
    std::vector<std::shared_ptr<RunningTask>> tasks;  // shared with each task's completion
    std::vector<Answer<bool>> waiters;
    std::size_t failed = 0;
    bool cancelled = false;
};

TaskScope::TaskScope(Shard& shard, core::Logger log) : state_(std::make_shared<State>(shard, std::move(log))) {}

TaskScope::~TaskScope() {
    SLUICE_ASSERT(state_->tasks.empty(), "scope destroyed with {} tasks, the first is '{}'", state_->tasks.size(),
                  state_->tasks.front()->name);
}

void TaskScope::spawn(std::string name, Task<void> task) {
    if (state_->cancelled) return;
    auto running = std::make_shared<RunningTask>();
    running->name = std::move(name);
    state_->tasks.push_back(running);
    const auto slot = running->signal.slot();
    auto on_end = [state = state_, running](std::exception_ptr error) { state->ended(running, error); };
    boost::asio::co_spawn(state_->shard.executor(), std::move(task),
                          boost::asio::bind_cancellation_slot(slot, std::move(on_end)));
}

void TaskScope::cancel() {
    state_->cancelled = true;
    const auto tasks = state_->tasks;  // a signal may end a task at once
    for (const auto& task : tasks)
        task->signal.emit(boost::asio::cancellation_type::terminal);
}

bool TaskScope::cancelled() const noexcept {
    return state_->cancelled;
}

Task<void> TaskScope::join() {
    const auto state = state_;
    while (!state->tasks.empty()) {
        auto wait = [&state](Answer<bool> answer) { state->waiters.push_back(std::move(answer)); };
        co_await await_foreign<bool>(wait);
    }
}

std::size_t TaskScope::running() const noexcept {
    return state_->tasks.size();
}
std::size_t TaskScope::failed() const noexcept {
    return state_->failed;
}
Shard& TaskScope::shard() noexcept {
    return state_->shard;
}

}  // namespace sluice::runtime
