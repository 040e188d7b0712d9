#include "sluice/db/postgres/internal/session.hpp"

#include <utility>

#include <boost/asio/this_coro.hpp>

#include "sluice/core/mutant.hpp"
#include "sluice/db/internal/failures.hpp"
#include "sluice/db/internal/fingerprint.hpp"
#include "sluice/db/postgres/internal/bulk.hpp"
#include "sluice/db/postgres/internal/exchange.hpp"
#include "sluice/db/postgres/internal/guard.hpp"

namespace sluice::db::postgres {
namespace {

Link& postgres_link(const pool::Lease& lease) {
    return static_cast<Link&>(lease.link());
}

std::string begin_sql(const TransactionOptions& options) {
    std::string sql = "BEGIN";
    switch (options.isolation) {
        case Isolation::database_default:
            // A read-only unit reads one snapshot on every database.
            if (options.read_only) sql += " ISOLATION LEVEL REPEATABLE READ";
            break;
        case Isolation::read_committed:
            sql += " ISOLATION LEVEL READ COMMITTED";
            break;
        case Isolation::repeatable_read:
            sql += " ISOLATION LEVEL REPEATABLE READ";
            break;
        case Isolation::serializable:
            sql += " ISOLATION LEVEL SERIALIZABLE";
            break;
    }
    if (options.read_only) sql += " READ ONLY";
    return sql;
}

[[noreturn]] void refuse_in_unit(std::string_view source, std::string message, std::string_view sql) {
    ErrorDetails details;
    details.source = source;
    details.message = std::move(message);
    details.fingerprint = db::internal::fingerprint(sql);
    throw Error(ErrorKind::query, std::move(details));
}

}  // namespace

Task<std::vector<Result>> PlainConnection::run(std::vector<Statement> statements) {
    if (statements.empty()) co_return std::vector<Result>();
    Exchange exchange(postgres_link(lease_));
    for (const Statement& statement : statements)
        exchange.add(statement);
    Reply reply = co_await exchange.run(Hearing::normal);
    reply.rethrow();
    co_return std::move(reply.results);
}

Task<std::uint64_t> PlainConnection::bulk(BulkInsert rows) {
    if (intent_ == AccessIntent::read) {
        throw db::internal::failure(ErrorKind::read_only, postgres_link(lease_).source(),
                                    "a bulk insert needs a connection that may write");
    }
    const Reply reply = co_await run_copy(postgres_link(lease_), rows);
    reply.rethrow();
    co_return reply.results.empty() ? 0 : reply.results.front().affected;
}

ServerTransaction::ServerTransaction(pool::Lease lease, TransactionOptions options)
    : lease_(std::move(lease)), options_(options), source_(postgres_link(lease_).source()) {}

void ServerTransaction::check_open() const {
    if (over_) throw db::internal::failure(ErrorKind::query, source_, "the unit of work has ended; nothing was run");
}

void ServerTransaction::check(const std::vector<Statement>& statements) const {
    check_open();
    for (const Statement& statement : statements) {
        if (auto refused = unit_refusal(statement.sql)) refuse_in_unit(source_, std::move(*refused), statement.sql);
    }
}

Task<std::vector<Result>> ServerTransaction::run(std::vector<Statement> statements) {
    check(statements);
    Exchange exchange(link());
    if (!begun_) exchange.add_control(begin_sql(options_));
    for (const Statement& statement : statements)
        exchange.add(statement);
    begun_ = true;
    Reply reply = co_await exchange.run(Hearing::normal);
    reply.rethrow();
    co_return std::move(reply.results);
}

Task<std::uint64_t> ServerTransaction::bulk(BulkInsert rows) {
    check_open();
    if (!std::exchange(begun_, true)) {
        // COPY is not for a pipeline.
        Exchange exchange(link());
        exchange.add_control(begin_sql(options_));
        const Reply began = co_await exchange.run(Hearing::normal);
        began.rethrow();
    }
    const Reply reply = co_await run_copy(link(), rows);
    reply.rethrow();
    co_return reply.results.empty() ? 0 : reply.results.front().affected;
}

Task<std::vector<Result>> ServerTransaction::commit(std::vector<Statement> last) {
    check(last);
    if (!begun_ && last.empty()) {
        over_ = true;
        lease_.give_back();
        co_return std::vector<Result>();
    }
    Exchange exchange(link());
    if (!begun_) exchange.add_control(begin_sql(options_));
    for (const Statement& statement : last)
        exchange.add(statement);
    exchange.add_control("COMMIT");
    begun_ = true;
    Reply reply = co_await exchange.run(Hearing::normal);
    // Cancelled or not: what the server acknowledged is committed.
    const bool committed = reply.last_tag == "COMMIT" ||
                           (reply.last_tag == "ROLLBACK" && core::mutant("postgres_rollback_tag_is_a_commit"));
    if (!committed) {
        // Nobody rolls back after a commit; without it the connection would be lost with every unit that fails here.
        if (!reply.loss && reply.last_tag != "ROLLBACK") co_await rollback();
        fail_commit(reply);
    }
    over_ = true;
    lease_.give_back();
    co_return std::move(reply.results);
}

void ServerTransaction::fail_commit(const Reply& reply) {
    if (reply.error) reply.rethrow();
    if (reply.loss && !options_.read_only && !core::mutant("postgres_lost_commit_is_a_lost_connection")) {
        over_ = true;
        ErrorDetails details = reply.loss->details();
        details.message = "the connection was lost while COMMIT was in flight; it may or may not have happened (" +
                          details.message + ")";
        throw Error(ErrorKind::outcome_unknown, std::move(details), std::make_exception_ptr(Error(*reply.loss)));
    }
    reply.rethrow();
    over_ = true;
    throw db::internal::failure(
        ErrorKind::query, source_,
        "nothing was committed: a statement had failed and its error was swallowed; put what may "
        "fail into a savepoint");
}

Task<void> ServerTransaction::rollback() noexcept {
    if (!std::exchange(over_, true) && begun_ && lease_ && !link().lost()) {
        const bool throws = co_await boost::asio::this_coro::throw_if_cancelled();
        co_await boost::asio::this_coro::throw_if_cancelled(false);
        {
            const Link::Limit limit(link(), link().settings().cleanup_limit);
            Exchange exchange(link());
            exchange.add_control("ROLLBACK");
            co_await exchange.run(Hearing::deaf);
        }
        co_await boost::asio::this_coro::throw_if_cancelled(throws);
    }
    lease_.give_back();
}

}  // namespace sluice::db::postgres
