// The way back from a foreign thread (SQLite's writer, a client library): a coroutine waits, the thread answers by
// message.
//
//     T value = co_await runtime::await_foreign<T>([&](runtime::Answer<T> answer) { queue.push(job, std::move(answer));
//     });
#pragma once

#include <atomic>
#include <exception>
#include <expected>
#include <functional>
#include <memory>
#include <utility>

#include <boost/asio/async_result.hpp>

#include "sluice/core/assert.hpp"
#include "sluice/core/error.hpp"
#include "sluice/runtime/shard.hpp"
#include "sluice/runtime/task.hpp"

namespace sluice::runtime {

/// Resumes the waiting coroutine on its shard with a value or an exception. Call once, from any thread. Destroyed
/// without a call it resumes the coroutine with a core::Error, so that nobody waits for ever. Must not outlive the
/// shard.
template <class T>
using Answer = std::move_only_function<void(std::expected<T, std::exception_ptr>)>;

namespace internal {

/// The coroutine that waits. Its last owner – the answer, or the initiation while that runs – resumes it by message; so
/// an answer that is given, dropped or overtaken by an exception of `start` ends in the same place, once.
template <class T, class Handler>
class ForeignCall {
public:
    ForeignCall(Shard& shard, Handler handler) : shard_(shard), handler_(std::move(handler)) {}
    ~ForeignCall() {
        if (!answered_.load())
            result_ = std::unexpected(std::make_exception_ptr(core::Error("a foreign thread dropped its answer")));
        shard_.post([handler = std::move(handler_), result = std::move(result_)]() mutable {
            std::move(handler)(std::move(result));
        });
    }
    ForeignCall(const ForeignCall&) = delete;
    ForeignCall& operator=(const ForeignCall&) = delete;

    void answer(std::expected<T, std::exception_ptr> result) {
        const bool twice = answered_.exchange(true);
        SLUICE_ASSERT(!twice, "a foreign thread answers twice on shard {}", shard_.index());
        result_ = std::move(result);
    }

private:
    Shard& shard_;
    Handler handler_;
    std::atomic<bool> answered_{false};
    std::expected<T, std::exception_ptr> result_ = std::unexpected(nullptr);
};

}  // namespace internal

/// Calls `start(answer)` on this shard and waits until `answer` was called. Not cancellable: a foreign thread may hold
/// references into the coroutine, so a cancelled task learns of it at its next await. `T` is not void and movable.
/// Throws what `start` throws, which then must not have kept the answer.
template <class T, class Start>
Task<T> await_foreign(Start start) {
    Shard* const shard = Shard::current();
    SLUICE_ASSERT(shard != nullptr, "await_foreign outside a shard");
    auto initiate = [&start, shard](auto handler) {
        using Call = internal::ForeignCall<T, decltype(handler)>;
        auto call = std::make_shared<Call>(*shard, std::move(handler));  // shared with the answer
        // An exception must not leave an initiation: Asio runs it when the coroutine is already suspended.
        try {
            start(Answer<T>([kept = call](std::expected<T, std::exception_ptr> result) mutable {
                kept->answer(std::move(result));
                kept.reset();
            }));
        } catch (...) {
            call->answer(std::unexpected(std::current_exception()));
        }
    };
    std::expected<T, std::exception_ptr> result =
        co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<Executor>&,
                                             void(std::expected<T, std::exception_ptr>)>(std::move(initiate), use_task);
    if (!result) std::rethrow_exception(result.error());
    co_return std::move(*result);
}

}  // namespace sluice::runtime
