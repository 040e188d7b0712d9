// The way back from a foreign thread (SQLite's writer, a client library): a coroutine waits, the thread answers by
// message.
//
//     T value = co_await runtime::await_foreign<T>([&](runtime::Answer<T> answer) { queue.push(job, std::move(answer));
//     });
#pragma once

#include <exception>
#include <expected>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>

#include "sluice/core/assert.hpp"
#include "sluice/runtime/shard.hpp"
#include "sluice/runtime/task.hpp"

namespace sluice::runtime {

/// Resumes the waiting coroutine on its shard with a value or an exception. Call once, from any thread.
template <class T>
using Answer = std::move_only_function<void(std::expected<T, std::exception_ptr>)>;

/// Calls `start(answer)` on this shard and waits until `answer` was called. Not cancellable: a foreign thread may hold
/// references into the coroutine, so a cancelled task learns of it at its next await. `T` is not void and movable.
template <class T, class Start>
Task<T> await_foreign(Start start) {
    Shard* const shard = Shard::current();
    SLUICE_ASSERT(shard != nullptr, "await_foreign outside a shard");
    auto initiate = [&start, shard](auto handler) {
        auto shared = std::make_shared<decltype(handler)>(std::move(handler));  // copied into the message, called once
        start(Answer<T>([shard, shared](std::expected<T, std::exception_ptr> result) mutable {
            shard->post([shared = std::move(shared), result = std::move(result)]() mutable {
                auto complete = std::move(*shared);
                std::move(complete)(std::move(result));
            });
        }));
    };
    std::expected<T, std::exception_ptr> result =
        co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<Executor>&,
                                             void(std::expected<T, std::exception_ptr>)>(std::move(initiate), use_task);
    if (!result) std::rethrow_exception(result.error());
    co_return std::move(*result);
}

}  // namespace sluice::runtime
