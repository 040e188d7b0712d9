#include "sluice/db/data_source.hpp"

#include <exception>
#include <utility>

#include <fmt/format.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include "sluice/core/clock.hpp"
#include "sluice/core/mutant.hpp"
#include "sluice/db/internal/failures.hpp"
#include "sluice/runtime/cancellation.hpp"

namespace sluice::db {
namespace {

using Body = std::function<Task<void>(UnitOfWork&)>;
using Timer = boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                                boost::asio::wait_traits<std::chrono::steady_clock>, runtime::Executor>;

bool is_serialization(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const Error& failure) {
        return failure.kind() == ErrorKind::serialization;
    } catch (...) {
        return false;
    }
}

/// One try: commit when the body returns, roll back when anything throws.
Task<void> one_unit(DataSource& source, TransactionOptions options, const Body& body, std::source_location borrower) {
    std::unique_ptr<Transaction> transaction = co_await source.begin(options, borrower);
    UnitOfWork unit(source.name(), std::move(transaction), options, source.news(), source.companions());
    std::exception_ptr error;
    try {
        co_await body(unit);
        co_await unit.commit();
    } catch (...) {  // whatever it is goes on to the caller
        error = std::current_exception();
    }
    if (!error) co_return;
    // After a cancellation every await would throw, and the rollback would not run.
    const bool throws = co_await boost::asio::this_coro::throw_if_cancelled();
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    co_await unit.rollback();
    co_await boost::asio::this_coro::throw_if_cancelled(throws);
    std::rethrow_exception(error);
}

/// The error of one try, or null.
Task<std::exception_ptr> unlimited(DataSource& source, TransactionOptions options, const Body& body,
                                   std::source_location borrower) {
    std::exception_ptr error;
    try {
        co_await one_unit(source, options, body, borrower);
    } catch (...) {  // the caller decides whether to try again
        error = std::current_exception();
    }
    co_return error;
}

/// As `unlimited`, cancelled at `deadline`.
Task<std::exception_ptr> limited(DataSource& source, TransactionOptions options, const Body& body,
                                 std::source_location borrower, core::SteadyTime deadline) {
    const runtime::Executor executor = co_await boost::asio::this_coro::executor;
    Timer timer(executor, deadline);
    Task<void> unit = one_unit(source, options, body, borrower);
    auto group = boost::asio::experimental::make_parallel_group(
        boost::asio::co_spawn(executor, std::move(unit), boost::asio::deferred),
        timer.async_wait(boost::asio::deferred));
    auto [order, error, timer_error] =
        co_await group.async_wait(boost::asio::experimental::wait_for_one(), runtime::use_task);
    const bool deadline_passed = order[0] == 1 && !timer_error;
    if (!error || !deadline_passed || !runtime::is_cancellation(error)) co_return error;
    co_return std::make_exception_ptr(internal::failure(
        ErrorKind::timeout, source.name(),
        fmt::format("the unit's deadline of {} ms passed; it was rolled back", options.deadline.count())));
}

}  // namespace

Task<void> DataSource::run_unit(TransactionOptions options, std::function<Task<void>(UnitOfWork&)> body,
                                std::source_location borrower) {
    if (core::mutant("unit_hides_its_borrower")) borrower = std::source_location::current();
    const core::SteadyTime began = std::chrono::steady_clock::now();
    const bool has_deadline = options.deadline.count() > 0;
    const core::SteadyTime deadline = began + options.deadline;
    for (int tries = 0;; ++tries) {
        std::exception_ptr error;
        if (has_deadline) {
            error = co_await limited(*this, options, body, borrower, deadline);
        } else {
            error = co_await unlimited(*this, options, body, borrower);
        }
        if (!error) co_return;
        const bool again = is_serialization(error) || core::mutant("retries_every_error");
        if (tries >= options.retry_serialization || !again) std::rethrow_exception(error);
    }
}

}  // namespace sluice::db
