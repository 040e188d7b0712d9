#include "sluice/runtime/scope.hpp"

#include <utility>
#include <vector>

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include "sluice/core/assert.hpp"
#include "sluice/core/error.hpp"
#include "sluice/runtime/cancellation.hpp"
#include "sluice/runtime/wake.hpp"

namespace sluice::runtime {
namespace {

/// One started task. Outlives the emission of its signal: `cancel` holds it too.
struct SpawnedTask {
    std::string name;
    std::size_t place = 0;  // in State::tasks
    bool begun = false;
    bool ended = false;
    boost::asio::cancellation_signal signal;
};

}  // namespace

struct TaskScope::State : std::enable_shared_from_this<State> {
    State(Shard& owner, core::Logger logger) : shard(owner), log(std::move(logger)) {}

    Shard& shard;
    core::Logger log;
    std::vector<std::shared_ptr<SpawnedTask>> tasks;
    std::vector<Message> joiners;
    std::size_t failed = 0;
    bool cancelled = false;

    std::shared_ptr<SpawnedTask> add(std::string name) {
        auto task = std::make_shared<SpawnedTask>();
        task->name = std::move(name);
        task->place = tasks.size();
        tasks.push_back(task);
        return task;
    }

    /// Lets `task` begin in a later step. co_spawn of Boost 1.81 relies on it: for a task that never suspended it
    /// awaits once more at the end, outside any handler of exceptions, and after a cancellation that await throws. So
    /// no signal is emitted before this step either.
    static Task<void> begin_later(std::shared_ptr<State> state, std::shared_ptr<SpawnedTask> spawned, Task<void> task) {
        co_await boost::asio::post(use_task);
        if (state->cancelled) co_return;
        spawned->begun = true;
        co_await std::move(task);
    }

    void end(SpawnedTask& task, const std::exception_ptr& error) {
        task.ended = true;
        tasks.back()->place = task.place;
        const auto removed =
            std::exchange(tasks[task.place], tasks.back());  // keeps `task` to the end of this function
        tasks.pop_back();
        if (error && !is_cancellation(error)) {
            ++failed;
            log.error("task {} failed: {}", task.name, core::describe(error));
        }
        if (tasks.empty() && !joiners.empty()) shard.post([self = shared_from_this()] { self->release_joiners(); });
    }

    void release_joiners() {
        if (!tasks.empty()) return;  // spawned again meanwhile; the last to end releases them
        for (Message& joiner : std::exchange(joiners, {}))
            joiner();
    }
};

namespace {

/// What co_spawn calls at the end. It names its slot itself instead of being bound to one: a bound handler's
/// cancellation is dispatched with a pointer into the signal, which may be gone by then.
template <class State>
class OnTaskEnd {
public:
    using cancellation_slot_type = boost::asio::cancellation_slot;

    OnTaskEnd(std::shared_ptr<State> state, std::shared_ptr<SpawnedTask> task)
        : state_(std::move(state)), task_(std::move(task)) {}

    [[nodiscard]] cancellation_slot_type get_cancellation_slot() const noexcept { return task_->signal.slot(); }
    void operator()(const std::exception_ptr& error) { state_->end(*task_, error); }

private:
    std::shared_ptr<State> state_;       // shared with the scope, which may be gone when nobody joins a finished task
    std::shared_ptr<SpawnedTask> task_;  // shared with State::tasks
};

}  // namespace

TaskScope::TaskScope(Shard& shard, core::Logger log) : state_(std::make_shared<State>(shard, std::move(log))) {}

TaskScope::~TaskScope() {
    SLUICE_ASSERT(state_->tasks.empty(), "a scope is destroyed with {} tasks, among them {}; cancel and join it first",
                  state_->tasks.size(), state_->tasks.front()->name);
}

void TaskScope::spawn(std::string name, Task<void> task) {
    SLUICE_ASSERT(state_->shard.accessible(), "task {} is spawned from another thread than shard {}'s", name,
                  state_->shard.index());
    if (state_->cancelled) return;
    const auto spawned = state_->add(std::move(name));
    boost::asio::co_spawn(state_->shard.executor(), State::begin_later(state_, spawned, std::move(task)),
                          OnTaskEnd<State>(state_, spawned));
}

void TaskScope::cancel() {
    SLUICE_ASSERT(state_->shard.accessible(), "a scope of shard {} is cancelled from another thread",
                  state_->shard.index());
    if (std::exchange(state_->cancelled, true)) return;
    const auto state = state_;
    const auto tasks = state->tasks;  // a task may end while another is asked
    for (const auto& task : tasks) {
        if (task->begun && !task->ended) task->signal.emit(boost::asio::cancellation_type::terminal);
    }
}

bool TaskScope::cancelled() const noexcept {
    return state_->cancelled;
}

Task<void> TaskScope::join() {
    const auto state = state_;
    SLUICE_ASSERT(state->shard.is_current(), "a scope of shard {} is joined elsewhere", state->shard.index());
    if (state->tasks.empty()) co_return;
    State* const waited_for = state.get();
    auto initiate = [waited_for](auto handler) { waited_for->joiners.emplace_back(std::move(handler)); };
    co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<Executor>&, void()>(std::move(initiate),
                                                                                                use_task);
}

Task<void> TaskScope::join_or_cancel() {
    const auto state = state_;
    Wake ended(state->shard);
    std::exception_ptr interrupted;
    if (!state->tasks.empty()) state->joiners.emplace_back([&ended] { ended.notify(); });  // joined below at the latest
    try {
        while (!state->tasks.empty())
            co_await ended.wait();
    } catch (...) {
        interrupted = std::current_exception();
    }
    if (!interrupted) co_return;
    co_await begin_cleanup();
    cancel();
    co_await join();
    std::rethrow_exception(interrupted);
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
