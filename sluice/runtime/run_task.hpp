// Runs one task to its end on the calling thread: for tests and for tools that do one thing.
//
//     runtime::Shard shard(0, core::real_clock());
//     const migrate::Report report = runtime::run_task(shard, runner.run(*source));
#pragma once

#include <optional>
#include <utility>

#include "sluice/runtime/shard.hpp"
#include "sluice/runtime/task.hpp"

namespace sluice::runtime {

/// Runs `shard`'s loop on this thread until `task` ends; throws what it throws. Whatever else lives on the shard runs
/// meanwhile and rests afterwards.
void run_task(Shard& shard, Task<void> task);

namespace internal {

template <class T>
Task<void> store_result(std::optional<T>& result, Task<T> task) {
    T value = co_await std::move(task);
    result.emplace(std::move(value));
}

}  // namespace internal

/// As above; answers the task's result.
template <class T>
T run_task(Shard& shard, Task<T> task) {
    std::optional<T> result;
    run_task(shard, internal::store_result(result, std::move(task)));
    return std::move(*result);
}

}  // namespace sluice::runtime
