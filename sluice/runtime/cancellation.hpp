// What a coroutine needs to know about being cancelled. After a cancellation every later await throws (Boost 1.81), so
// a clean-up that awaits begins by resetting that state.
//
//     std::exception_ptr error;
//     try { co_await work(); } catch (…) { error = std::current_exception(); }
//     co_await runtime::begin_cleanup();
//     co_await scope.join();
#pragma once

#include <exception>

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

namespace sluice::runtime {

/// Awaited, it makes the rest of this task deaf to cancellation: what came before is forgotten, what comes later
/// ignored.
[[nodiscard]] inline auto begin_cleanup() {
    return boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
}

/// Whether `error` is the operation_aborted that a cancelled await throws. Null is not.
[[nodiscard]] bool is_cancellation(const std::exception_ptr& error) noexcept;

}  // namespace sluice::runtime
