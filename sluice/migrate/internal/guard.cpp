#include "sluice/migrate/internal/guard.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <boost/asio/this_coro.hpp>

#include "sluice/db/error.hpp"
#include "sluice/migrate/internal/ledger.hpp"

namespace sluice::migrate::internal {
namespace {

db::Error guard_error(db::ErrorKind kind, const db::DataSource& source, std::string text) {
    db::ErrorDetails details;
    details.source = source.name();
    details.message = std::move(text);
    return {kind, std::move(details)};
}

/// An idle transaction holds the lock; a pooler keeps its connection for it.
class PostgresGuard final : public Guard {
public:
    PostgresGuard(std::unique_ptr<db::Transaction> holder, std::unique_ptr<db::Connection> worker)
        : holder_(std::move(holder)), worker_(std::move(worker)) {}

    [[nodiscard]] db::Session& session() override { return *worker_; }
    db::Task<void> finish(std::vector<db::Statement> last) override { co_await holder_->commit(std::move(last)); }
    db::Task<void> let_go() noexcept override { co_await holder_->rollback(); }

private:
    std::unique_ptr<db::Transaction> holder_;
    std::unique_ptr<db::Connection> worker_;
};

db::Task<void> lock_and_open(db::DataSource& source, db::Transaction& holder, std::chrono::milliseconds wait,
                             std::unique_ptr<db::Connection>& worker) {
    std::vector<db::Statement> statements = lock_statements(wait);
    // A server may end transactions that rest for long; this one rests for as long as an index is built.
    statements.push_back(db::statement("set local idle_in_transaction_session_timeout = 0"));
    co_await holder.run(std::move(statements));
    worker = co_await source.acquire(db::AccessIntent::write);
}

db::Task<std::unique_ptr<Guard>> take_postgres_guard(db::DataSource& source, std::chrono::milliseconds wait) {
    db::TransactionOptions options;
    options.isolation = db::Isolation::read_committed;
    std::unique_ptr<db::Transaction> holder = co_await source.begin(options);
    std::unique_ptr<db::Connection> worker;
    std::exception_ptr error;
    try {
        co_await lock_and_open(source, *holder, wait, worker);
    } catch (...) {  // rethrown below, once the transaction is over
        error = std::current_exception();
    }
    if (error) {
        // After a cancellation every await would throw, and the rollback would not run.
        const bool throws = co_await boost::asio::this_coro::throw_if_cancelled();
        co_await boost::asio::this_coro::throw_if_cancelled(false);
        co_await holder->rollback();
        co_await boost::asio::this_coro::throw_if_cancelled(throws);
        std::rethrow_exception(error);
    }
    std::unique_ptr<Guard> guard = std::make_unique<PostgresGuard>(std::move(holder), std::move(worker));
    co_return guard;
}

/// Locks are the server's, not the database's, and their names are short.
constexpr std::string_view kMariadbLock = "concat('sluice_migrate_', md5(database()))";

class MariadbGuard final : public Guard {
public:
    MariadbGuard(db::DataSource& source, std::unique_ptr<db::Connection> connection)
        : source_(source), connection_(std::move(connection)) {}

    [[nodiscard]] db::Session& session() override { return *connection_; }
    db::Task<void> finish(std::vector<db::Statement> last) override {
        const auto held = co_await connection_->query_one(
            fmt::format("select coalesce(is_used_lock({}) = connection_id(), 0)", kMariadbLock));
        if (held->get<std::int64_t>(0) == 0)
            throw guard_error(db::ErrorKind::connection, source_, "the migration lock was lost with its connection");
        const db::TransactionOptions options;
        const auto body = [&last](db::UnitOfWork& unit) -> db::Task<void> { co_await unit.run(std::move(last)); };
        co_await source_.transaction(options, body);
        co_await let_go();
    }
    db::Task<void> let_go() noexcept override {
        try {
            co_await connection_->query(fmt::format("select release_lock({})", kMariadbLock));
        } catch (const std::exception&) {
            // The connection is gone, and with it the lock.
        }
    }

private:
    db::DataSource& source_;
    std::unique_ptr<db::Connection> connection_;
};

db::Task<std::unique_ptr<Guard>> take_mariadb_guard(db::DataSource& source, std::chrono::milliseconds wait) {
    std::unique_ptr<db::Connection> connection = co_await source.acquire(db::AccessIntent::write);
    const double seconds = std::chrono::duration<double>(std::max(wait, std::chrono::milliseconds(0))).count();
    const auto row =
        co_await connection->query_one(fmt::format("select coalesce(get_lock({}, $1), 0)", kMariadbLock), seconds);
    if (row->get<std::int64_t>(0) == 0)
        throw guard_error(db::ErrorKind::serialization, source, "the migration lock is taken");
    std::unique_ptr<Guard> guard = std::make_unique<MariadbGuard>(source, std::move(connection));
    co_return guard;
}

}  // namespace

db::Task<std::unique_ptr<Guard>> take_guard(db::DataSource& source, std::chrono::milliseconds wait) {
    return source.dialect() == db::Dialect::mariadb ? take_mariadb_guard(source, wait)
                                                    : take_postgres_guard(source, wait);
}

}  // namespace sluice::migrate::internal
