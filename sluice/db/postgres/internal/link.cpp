#include "sluice/db/postgres/internal/link.hpp"

#include <utility>

#include <boost/system/system_error.hpp>

#include "sluice/db/postgres/internal/exchange.hpp"

namespace sluice::db::postgres {
namespace {

using db::internal::Ready;

}  // namespace

Link::Limit::Limit(Link& link, std::chrono::milliseconds limit)
    : alarm_(std::chrono::steady_clock::now() + limit), ends_(alarm_, [&link] {
          link.give_up();
          link.socket_->cancel();
      }) {}

Link::Link(ConnectionHandle connection, std::shared_ptr<const LinkSettings> settings,
           std::shared_ptr<Canceller> canceller)
    : connection_(std::move(connection)), settings_(std::move(settings)), canceller_(std::move(canceller)) {
    if (settings_->statement_limit > 0) {
        statements_.emplace(settings_->statement_limit, static_cast<std::uint32_t>(PQbackendPID(connection_.get())));
    }
}

Link::~Link() {
    leave_shard();
}

bool Link::usable() const noexcept {
    return !lost() && !cancel_pending() && PQtransactionStatus(handle()) == PQTRANS_IDLE;
}

Task<bool> Link::check() {
    Exchange exchange(*this);
    exchange.add_control("SELECT 1");
    const Reply reply = co_await exchange.run(Hearing::normal);
    co_return !reply.error && usable();
}

void Link::leave_shard() {
    socket_.reset();
}

void Link::enter_shard() {
    socket_.emplace(PQsocket(handle()));
}

Task<bool> Link::flush(Hearing hearing) {
    for (;;) {
        if (lost()) co_return false;
        const int left = PQflush(handle());
        if (left == 0) co_return true;
        if (left < 0) co_return false;
        co_await socket_->wait(Ready::either, hearing);
        if (PQconsumeInput(handle()) == 0) co_return false;
    }
}

Task<bool> Link::until_ready(Hearing hearing) {
    while (PQisBusy(handle()) != 0) {
        if (broken_) co_return false;
        co_await socket_->wait(Ready::to_read, hearing);
        if (PQconsumeInput(handle()) == 0) co_return false;
    }
    co_return true;
}

void Link::request_cancel() {
    CancelRequest request(PQgetCancel(handle()));
    if (!request) return;
    cancel_ = std::make_shared<Cancel>(*runtime::Shard::current());
    canceller_->request(std::move(request), [cancel = cancel_] {
        cancel->told.store(true);
        cancel->wake.notify();
    });
}

Task<void> Link::cancel_settled() {
    if (!cancel_pending() || lost()) co_return;
    try {
        static_cast<void>(co_await cancel_->wake.wait_for(settings_->cleanup_limit));
    } catch (const boost::system::system_error&) {
        // Cancelled once more: the connection is given up if the request is still under way.
    }
}

}  // namespace sluice::db::postgres
