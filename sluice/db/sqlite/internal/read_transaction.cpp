#include "sluice/db/sqlite/internal/read_transaction.hpp"

#include <utility>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include "sluice/db/internal/failures.hpp"

namespace sluice::db::sqlite {
namespace {

std::exception_ptr aborted() {
    return std::make_exception_ptr(boost::system::system_error(boost::asio::error::operation_aborted));
}

/// A queued read is given up at once, a running one is interrupted.
struct InterruptOnCancel {
    ReadSessionPtr session;

    void operator()(boost::asio::cancellation_type) const {
        session->cancelled.store(true);
        if (!session->move_stage(ReadSession::Stage::queued, ReadSession::Stage::withdrawn)) return;
        session->shard->post([given_up = session] {
            auto resume = std::exchange(given_up->resume, nullptr);
            if (resume) resume(aborted());
        });
    }
};

Task<std::vector<Result>> read(Reader& reader, ReadSessionPtr session, std::vector<Statement> statements) {
    auto initiate = [&reader, session](auto handler) {
        auto slot = boost::asio::get_associated_cancellation_slot(handler);
        if (slot.is_connected()) slot.assign(InterruptOnCancel{session});
        session->resume = [slot, handler = std::move(handler)](std::exception_ptr error) mutable {
            slot.clear();
            std::move(handler)(std::move(error));
        };
        reader.submit(session);
    };
    session->statements = std::move(statements);
    session->results.clear();
    session->error = nullptr;
    co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<runtime::Executor>&,
                                         void(std::exception_ptr)>(std::move(initiate), runtime::use_task);
    if (session->error && session->cancelled.load()) std::rethrow_exception(aborted());
    if (session->error) std::rethrow_exception(session->error);
    co_return std::move(session->results);
}

[[noreturn]] void refuse_bulk(const std::string& source) {
    throw db::internal::failure(ErrorKind::read_only, source, "a bulk insert needs a unit that may write");
}

}  // namespace

ReadTransaction::ReadTransaction(ReaderLease lease, std::string source, OpenWork::Permit permit)
    : permit_(std::move(permit)), source_(std::move(source)), lease_(std::move(lease)) {}

Task<std::vector<Result>> ReadTransaction::run(std::vector<Statement> statements) {
    if (!lease_) throw db::internal::failure(ErrorKind::query, source_, "the read-only unit has ended");
    return read(lease_->reader(), lease_->session(), std::move(statements));
}

Task<std::uint64_t> ReadTransaction::bulk(BulkInsert) {
    refuse_bulk(source_);
    co_return 0;
}

Task<std::vector<Result>> ReadTransaction::commit(std::vector<Statement> last) {
    std::vector<Result> results;
    if (!last.empty()) results = co_await run(std::move(last));
    lease_.reset();
    co_return results;
}

Task<void> ReadTransaction::rollback() noexcept {
    lease_.reset();
    co_return;
}

ReadConnection::ReadConnection(ReaderLease lease, std::string source, OpenWork::Permit permit)
    : permit_(std::move(permit)), source_(std::move(source)), lease_(std::move(lease)) {}

Task<std::vector<Result>> ReadConnection::run(std::vector<Statement> statements) {
    return read(lease_.reader(), lease_.session(), std::move(statements));
}

Task<std::uint64_t> ReadConnection::bulk(BulkInsert) {
    refuse_bulk(source_);
    co_return 0;
}

}  // namespace sluice::db::sqlite
