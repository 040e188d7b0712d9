// From a thread that is no shard (main, a test): start a task on a shard and wait for it.
//
//     int answer = runtime::block_on(shards.at(0), compute());
#pragma once

#include <exception>
#include <future>
#include <memory>
#include <type_traits>
#include <utility>

#include "sluice/core/assert.hpp"
#include "sluice/runtime/shard.hpp"
#include "sluice/runtime/task.hpp"

namespace sluice::runtime {

namespace internal {

/// Starts `task`, which must not throw, on `shard`. Compiled once, whatever the tasks of callers answer.
void start_noexcept(Shard& shard, Task<void> task);

/// Awaits `task` and tells `promise` how it ended, once nothing of the task is left.
template <class T>
Task<void> fulfil(std::shared_ptr<std::promise<T>> promise, Task<T> task) {
    try {
        if constexpr (std::is_void_v<T>) {
            co_await std::move(task);
            promise->set_value();
        } else {
            T value = co_await std::move(task);
            promise->set_value(std::move(value));
        }
    } catch (...) {  // whatever it is goes to who waits
        promise->set_exception(std::current_exception());
    }
}

}  // namespace internal

/// Starts `task` on `shard`, whose loop must run until the future is ready. The task cannot be cancelled.
template <class T>
[[nodiscard]] std::future<T> start_on(Shard& shard, Task<T> task) {
    SLUICE_ASSERT(Shard::current() == nullptr, "a shard must not wait for a task; await it");
    auto promise = std::make_shared<std::promise<T>>();  // shared with the coroutine
    std::future<T> future = promise->get_future();
    internal::start_noexcept(shard, internal::fulfil<T>(std::move(promise), std::move(task)));
    return future;
}

/// Waits for the task's value or rethrows its exception.
template <class T>
T block_on(Shard& shard, Task<T> task) {
    return start_on(shard, std::move(task)).get();
}

/// Runs `work` on `shard` and waits until it returned or threw.
template <class Work>
void call_on(Shard& shard, Work work) {
    SLUICE_ASSERT(Shard::current() == nullptr, "a shard must not wait for a message; post it");
    std::promise<void> done;
    shard.post([&work, &done] {
        try {
            work();
            done.set_value();
        } catch (...) {
            done.set_exception(std::current_exception());
        }
    });
    done.get_future().get();
}

}  // namespace sluice::runtime
