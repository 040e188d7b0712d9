// The coroutine type of the whole library. A Task starts, waits and ends on one shard.
//
//     runtime::Task<int> answer() { co_return 42; }
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace sluice::runtime {

using Executor = boost::asio::io_context::executor_type;

/// Lazily started coroutine bound to a shard's executor. Failures are exceptions; a cancelled one throws
/// boost::system::system_error(operation_aborted) from the await it was in.
template <class T = void>
using Task = boost::asio::awaitable<T, Executor>;

/// Completion token for Asio operations inside a Task.
inline constexpr boost::asio::use_awaitable_t<Executor> use_task{};

}  // namespace sluice::runtime
