#include "sluice/db/sqlite/internal/unit_transaction.hpp"

#include <chrono>
#include <utility>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include "sluice/db/internal/failures.hpp"

namespace sluice::db::sqlite {
namespace {

enum class Cancellable : bool { no, yes };

/// Gives a queued request up at once when its coroutine is cancelled. One that the writer works on is waited for: the
/// writer is never interrupted.
struct WithdrawOnCancel {
    UnitSessionPtr session;

    void operator()(boost::asio::cancellation_type) const {
        if (!session->withdraw()) return;
        session->over = true;
        session->shard->post([given_up = session] {
            auto resume = std::exchange(given_up->resume, nullptr);
            const boost::system::system_error aborted(boost::asio::error::operation_aborted);
            if (resume) resume(std::make_exception_ptr(aborted));
        });
    }
};

/// How long a shard looks for an answer that waits for no disk; see docs/sqlite.md, "Group commit".
constexpr std::chrono::microseconds kLook{30};

/// A request under way. While the writer works on statements its answer is a few microseconds off: to sleep and be
/// woken would take longer. A COMMIT waits for the disk, so nobody looks for its answer alone.
class RequestUnderWay {
public:
    RequestUnderWay(Writer& writer, const UnitSession& session)
        : writer_(writer), shard_(*session.shard), soon_(session.request.kind != AskKind::commit) {
        if (soon_) writer_.expect_soon();
        look();
    }
    ~RequestUnderWay() {
        if (soon_) writer_.answered();
    }
    RequestUnderWay(const RequestUnderWay&) = delete;
    RequestUnderWay& operator=(const RequestUnderWay&) = delete;

    /// Its own answer came: others may be on their way.
    void answered() {
        if (std::exchange(soon_, false)) writer_.answered();
        look();
    }

private:
    void look() const {
        if (writer_.answers_soon()) shard_.expect_message(kLook);
    }

    Writer& writer_;
    runtime::Shard& shard_;
    bool soon_;
};

/// Hands the session's request to the writer and waits for the answer, which is in the session then; throws its error.
Task<void> ask(Writer& writer, UnitSessionPtr session, Cancellable cancellable) {
    auto initiate = [&writer, session, cancellable](auto handler) {
        auto slot = boost::asio::get_associated_cancellation_slot(handler);
        if (cancellable == Cancellable::yes && slot.is_connected()) slot.assign(WithdrawOnCancel{session});
        session->resume = [slot, handler = std::move(handler)](std::exception_ptr error) mutable {
            slot.clear();
            std::move(handler)(std::move(error));
        };
        writer.submit(session);
    };
    session->answer = {};
    if (!session->started) writer.admit();
    RequestUnderWay request(writer, *session);
    co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<runtime::Executor>&,
                                         void(std::exception_ptr)>(std::move(initiate), runtime::use_task);
    request.answered();
    session->over = session->answer.over;
    if (session->answer.error) std::rethrow_exception(session->answer.error);
}

}  // namespace

UnitTransaction::UnitTransaction(std::shared_ptr<Writer> writer, std::string source, SteadyTime deadline,
                                 OpenWork::Permit permit)
    : writer_(std::move(writer)),
      source_(std::move(source)),
      session_(writer_->new_session(deadline)),
      permit_(std::move(permit)) {}

UnitTransaction::~UnitTransaction() {
    if (!session_->started || session_->over) return;
    if (session_->withdraw()) return;
    writer_->abandon(session_);
}

void UnitTransaction::check_open() const {
    if (!session_->over) return;
    throw db::internal::failure(ErrorKind::serialization, source_,
                                "the unit has been rolled back already; run it again from its start");
}

Task<std::vector<Result>> UnitTransaction::run(std::vector<Statement> statements) {
    check_open();
    session_->request = {};
    session_->request.kind = AskKind::run;
    session_->request.statements = std::move(statements);
    co_await ask(*writer_, session_, Cancellable::yes);
    co_return std::move(session_->answer.results);
}

Task<std::uint64_t> UnitTransaction::bulk(BulkInsert rows) {
    check_open();
    session_->request = {};
    session_->request.kind = AskKind::run;
    session_->request.bulk = std::move(rows);
    co_await ask(*writer_, session_, Cancellable::yes);
    co_return session_->answer.bulk_rows;
}

Task<std::vector<Result>> UnitTransaction::commit(std::vector<Statement> last) {
    check_open();
    if (!session_->started && last.empty()) {
        session_->over = true;
        co_return std::vector<Result>();
    }
    session_->request = {};
    session_->request.kind = AskKind::commit;
    session_->request.statements = std::move(last);
    co_await ask(*writer_, session_, Cancellable::yes);
    co_return std::move(session_->answer.results);
}

Task<void> UnitTransaction::rollback() noexcept {
    if (!session_->started || session_->over) {
        session_->over = true;
        co_return;
    }
    session_->request = {};
    session_->request.kind = AskKind::rollback;
    // A cancelled coroutine may still wait for this one, and stays marked as cancelled.
    const bool throws = co_await boost::asio::this_coro::throw_if_cancelled();
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    try {
        co_await ask(*writer_, session_, Cancellable::no);
    } catch (const Error&) {
        // The writer had given the unit up before: it is rolled back, which is what was asked for.
    }
    session_->over = true;
    co_await boost::asio::this_coro::throw_if_cancelled(throws);
}

WriteConnection::WriteConnection(std::shared_ptr<Writer> writer, OpenWork::Permit permit)
    : writer_(std::move(writer)), permit_(std::move(permit)) {}

Task<std::vector<Result>> WriteConnection::run(std::vector<Statement> statements) {
    if (statements.empty()) co_return std::vector<Result>();
    const UnitSessionPtr session = writer_->new_session(SteadyTime::max());
    session->request.kind = AskKind::commit;
    session->request.statements = std::move(statements);
    co_await ask(*writer_, session, Cancellable::yes);
    co_return std::move(session->answer.results);
}

Task<std::uint64_t> WriteConnection::bulk(BulkInsert rows) {
    const UnitSessionPtr session = writer_->new_session(SteadyTime::max());
    session->request.kind = AskKind::commit;
    session->request.bulk = std::move(rows);
    co_await ask(*writer_, session, Cancellable::yes);
    co_return session->answer.bulk_rows;
}

}  // namespace sluice::db::sqlite
