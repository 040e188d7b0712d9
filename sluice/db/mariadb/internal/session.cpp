#include "sluice/db/mariadb/internal/session.hpp"

#include <utility>

#include <boost/asio/this_coro.hpp>

#include "sluice/core/mutant.hpp"
#include "sluice/db/internal/failures.hpp"
#include "sluice/db/mariadb/internal/bulk.hpp"
#include "sluice/db/mariadb/internal/guard.hpp"

namespace sluice::db::mariadb {
namespace {

constexpr std::string_view kRepeatableRead = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ";

/// The level holds for the next transaction only, so it stands before it; nothing if the server's is to be used.
std::string_view isolation_sql(const TransactionOptions& options) {
    switch (options.isolation) {
        case Isolation::database_default:
            // A read-only unit reads one snapshot on every database.
            return options.read_only ? kRepeatableRead : "";
        case Isolation::read_committed:
            return "SET TRANSACTION ISOLATION LEVEL READ COMMITTED";
        case Isolation::repeatable_read:
            return kRepeatableRead;
        case Isolation::serializable:
            break;
    }
    return "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE";
}

/// A unit that asked for one snapshot has it at once, not by its first plain read: as on PostgreSQL, and because only
/// this way of making it is kept apart from commits, if the server writes a binary log (docs/adr/0006).
std::string_view start_sql(bool snapshot, bool read_only) {
    if (snapshot) {
        return read_only ? "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
                         : "START TRANSACTION WITH CONSISTENT SNAPSHOT";
    }
    return read_only ? "START TRANSACTION READ ONLY" : "START TRANSACTION";
}

void add_begin(Exchange& exchange, const TransactionOptions& options) {
    const std::string_view isolation = isolation_sql(options);
    if (!isolation.empty()) exchange.add_control(isolation);
    exchange.add_control(start_sql(isolation == kRepeatableRead, options.read_only));
}

/// Whatever was cancelled: as long as the cleanup limit allows, else the connection is given up.
Task<void> roll_back(Link& link) {
    if (link.lost()) co_return;
    const Link::Limit limit(link, link.settings().cleanup_limit);
    Exchange exchange(link, Exchange::Within::autocommit);
    exchange.add_control("ROLLBACK");
    const Reply reply = co_await exchange.run(Hearing::deaf);
    if (reply.failed()) link.give_up();
}

/// COMMIT is not stopped once it was sent: a cancelled caller waits, at most the cleanup limit, and then knows.
Task<Reply> send_commit(Link& link) {
    Exchange exchange(link, Exchange::Within::autocommit);
    exchange.never_stop();
    exchange.add_control("COMMIT");
    Reply reply = co_await exchange.run(Hearing::normal);
    co_return reply;
}

[[noreturn]] void fail_unknown(const Error& loss) {
    ErrorDetails details = loss.details();
    details.message =
        "the connection was lost while COMMIT was in flight; it may or may not have happened (" + details.message + ")";
    throw Error(ErrorKind::outcome_unknown, std::move(details), std::make_exception_ptr(Error(loss)));
}

/// A transaction around `reply`'s statements ends as they did.
Task<void> end_batch(Link& link, const Reply& reply) {
    if (reply.failed() || reply.interrupted) {
        co_await roll_back(link);
        reply.rethrow();
    }
    const Reply committed = co_await send_commit(link);
    if (committed.loss) fail_unknown(*committed.loss);
    if (committed.error || link.in_transaction()) co_await roll_back(link);
    if (committed.error) throw Error(*committed.error);
}

}  // namespace

Task<std::vector<Result>> PlainConnection::run(std::vector<Statement> statements) {
    if (statements.empty()) co_return std::vector<Result>();
    Exchange exchange(link(), Exchange::Within::autocommit);
    const bool batch = statements.size() > 1;
    if (batch) exchange.add_control("START TRANSACTION");
    for (const Statement& statement : statements)
        exchange.add(statement);
    Reply reply = co_await exchange.run(Hearing::normal);
    if (batch) co_await end_batch(link(), reply);
    reply.rethrow();
    co_return std::move(reply.results);
}

Task<std::uint64_t> PlainConnection::bulk(BulkInsert rows) {
    if (intent_ == AccessIntent::read) {
        throw db::internal::failure(ErrorKind::read_only, link().source(),
                                    "a bulk insert needs a connection that may write");
    }
    check_bulk(link(), rows);
    Exchange exchange(link(), Exchange::Within::autocommit);
    exchange.add_control("START TRANSACTION");
    const Reply began = co_await exchange.run(Hearing::normal);
    if (began.interrupted || began.failed()) co_await roll_back(link());
    began.rethrow();
    const Reply reply = co_await run_bulk(link(), rows);
    co_await end_batch(link(), reply);
    co_return reply.results.empty() ? 0 : reply.results.front().affected;
}

ServerTransaction::ServerTransaction(pool::Lease lease, TransactionOptions options)
    : lease_(std::move(lease)), options_(options), source_(link().source()) {}

void ServerTransaction::check_open() const {
    if (state_ == State::over)
        throw db::internal::failure(ErrorKind::query, source_, "the unit of work has ended; nothing was run");
    if (state_ == State::undone) {
        throw db::internal::failure(ErrorKind::serialization, source_,
                                    "the unit was rolled back by a serialization failure before this; run it again");
    }
}

void ServerTransaction::check(const std::vector<Statement>& statements) const {
    check_open();
    bool failed = state_ == State::failed;
    for (const Statement& statement : statements) {
        Prepared* const known = link().statements().find(statement.sql);
        if (known == nullptr || !known->allowed_in_units) {
            if (auto refused = unit_refusal(statement.sql))
                throw refused_statement(std::move(*refused), source_, statement.sql);
            if (known != nullptr) known->allowed_in_units = true;
        }
        failed = failed && !is_rollback_to(statement.sql);
        if (failed) {
            throw refused_statement("a statement before it failed: put what may fail into a savepoint", source_,
                                    statement.sql);
        }
    }
}

Task<Reply> ServerTransaction::send(const std::vector<Statement>& statements) {
    Exchange exchange(link(), Exchange::Within::unit);
    if (state_ == State::fresh) add_begin(exchange, options_);
    for (const Statement& statement : statements)
        exchange.add(statement);
    state_ = State::open;
    Reply reply = co_await exchange.run(Hearing::normal);
    co_await take_failure(reply);
    co_return reply;
}

Task<void> ServerTransaction::take_failure(const Reply& reply) {
    if (!reply.failed()) co_return;
    state_ = State::failed;
    const bool serialization = reply.error && reply.error->kind() == ErrorKind::serialization;
    if (!serialization || core::mutant("mariadb_lock_timeout_keeps_the_unit")) co_return;
    const bool throws = co_await boost::asio::this_coro::throw_if_cancelled();
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    co_await roll_back(link());
    co_await boost::asio::this_coro::throw_if_cancelled(throws);
    state_ = State::undone;
}

Task<std::vector<Result>> ServerTransaction::run(std::vector<Statement> statements) {
    check(statements);
    Reply reply = co_await send(statements);
    reply.rethrow();
    co_return std::move(reply.results);
}

Task<std::uint64_t> ServerTransaction::bulk(BulkInsert rows) {
    check(std::vector<Statement>(1));
    check_bulk(link(), rows);
    if (state_ == State::fresh) {
        const std::vector<Statement> none;
        const Reply began = co_await send(none);
        began.rethrow();
    }
    const Reply reply = co_await run_bulk(link(), rows);
    co_await take_failure(reply);
    reply.rethrow();
    co_return reply.results.empty() ? 0 : reply.results.front().affected;
}

void ServerTransaction::end() noexcept {
    state_ = State::over;
    lease_.give_back();
}

Task<std::vector<Result>> ServerTransaction::commit(std::vector<Statement> last) {
    if (state_ == State::failed && !core::mutant("mariadb_commits_after_a_failure")) {
        co_await rollback();
        throw db::internal::failure(
            ErrorKind::query, source_,
            "nothing was committed: a statement had failed and its error was swallowed; put what may "
            "fail into a savepoint");
    }
    check(last);
    if (state_ == State::fresh && last.empty()) {
        end();
        co_return std::vector<Result>();
    }
    Reply reply;
    if (!last.empty()) reply = co_await send(last);
    if (reply.failed() || reply.interrupted) {
        co_await rollback();
        reply.rethrow();
    }
    const Reply committed = co_await send_commit(link());
    // Cancelled or not: what the server acknowledged is committed.
    if (committed.loss && !options_.read_only && !core::mutant("mariadb_lost_commit_is_a_lost_connection")) {
        state_ = State::over;
        fail_unknown(*committed.loss);
    }
    if (committed.failed()) {
        co_await rollback();
        if (committed.error) throw Error(*committed.error);
        throw Error(*committed.loss);
    }
    end();
    co_return std::move(reply.results);
}

Task<void> ServerTransaction::rollback() noexcept {
    const State was = std::exchange(state_, State::over);
    if ((was == State::open || was == State::failed) && lease_) {
        const bool throws = co_await boost::asio::this_coro::throw_if_cancelled();
        co_await boost::asio::this_coro::throw_if_cancelled(false);
        co_await roll_back(link());
        co_await boost::asio::this_coro::throw_if_cancelled(throws);
    }
    lease_.give_back();
}

}  // namespace sluice::db::mariadb
