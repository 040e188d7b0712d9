// One logical database: a primary and, where there are any, replicas. A port: an application may bring its own, and the
// registry and the pin work with it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <string_view>
#include <type_traits>
#include <utility>

#include "sluice/db/commit_signal.hpp"
#include "sluice/db/companions.hpp"
#include "sluice/db/connection.hpp"
#include "sluice/db/unit_of_work.hpp"

namespace sluice::db {

/// Thread-safe; the tasks run on the calling shard. `borrower`, the caller's line unless it says otherwise, is named by
/// the pool's report of connections that are kept too long.
class DataSource {
public:
    virtual ~DataSource() = default;

    /// The name that tenants, logs and metrics use.
    [[nodiscard]] virtual std::string_view name() const noexcept = 0;
    [[nodiscard]] virtual Dialect dialect() const noexcept = 0;
    /// Write: the primary. Read: a healthy replica, else the primary.
    virtual Task<std::unique_ptr<Connection>> acquire(
        AccessIntent intent, std::source_location borrower = std::source_location::current()) = 0;
    /// Opens a transaction on the primary (a read-only one may go to a replica).
    virtual Task<std::unique_ptr<Transaction>> begin(
        TransactionOptions options, std::source_location borrower = std::source_location::current()) = 0;
    /// Refuses new work, waits for what is open, closes. Idempotent.
    virtual Task<void> close() = 0;

    /// Raised after every commit in this process that published messages; `UnitOfWork::news` is the same.
    [[nodiscard]] const std::shared_ptr<CommitSignal>& news() const noexcept { return news_; }

    /// What modules above keep with this source; `UnitOfWork::companions` is the same.
    [[nodiscard]] const std::shared_ptr<Companions>& companions() const noexcept { return companions_; }

    /// Runs `body` in a unit of work; see unit_of_work.hpp. `body` is called again only as `retry_serialization`
    /// allows. Answers what the body returns.
    template <class Body>
    auto transaction(TransactionOptions options, Body body,
                     std::source_location borrower = std::source_location::current())
        -> std::invoke_result_t<Body&, UnitOfWork&> {
        using Answer = typename std::invoke_result_t<Body&, UnitOfWork&>::value_type;
        if constexpr (std::is_void_v<Answer>) {
            return run_unit(options, std::function<Task<void>(UnitOfWork&)>(std::move(body)), borrower);
        } else {
            return run_unit_for<Answer>(options, std::move(body), borrower);
        }
    }

private:
    template <class Value, class Body>
    Task<Value> run_unit_for(TransactionOptions options, Body body, std::source_location borrower) {
        std::optional<Value> answer;
        std::function<Task<void>(UnitOfWork&)> keep = [&answer, &body](UnitOfWork& unit) {
            return store(answer, body, unit);
        };
        co_await run_unit(options, std::move(keep), borrower);
        co_return std::move(*answer);
    }
    template <class Value, class Body>
    static Task<void> store(std::optional<Value>& answer, Body& body, UnitOfWork& unit) {
        answer.emplace(co_await body(unit));
    }

    Task<void> run_unit(TransactionOptions options, std::function<Task<void>(UnitOfWork&)> body,
                        std::source_location borrower);

    std::shared_ptr<CommitSignal> news_ = std::make_shared<CommitSignal>();
    std::shared_ptr<Companions> companions_ = std::make_shared<Companions>();
};

}  // namespace sluice::db
