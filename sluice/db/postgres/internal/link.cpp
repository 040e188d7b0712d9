#include "sluice/db/postgres/internal/link.hpp"

#include <utility>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/system_error.hpp>

#include "sluice/core/assert.hpp"
#include "sluice/db/postgres/internal/exchange.hpp"

namespace sluice::db::postgres {
namespace {

using LinkTimer =
    boost::asio::basic_waitable_timer<std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>,
                                      runtime::Executor>;

runtime::Executor executor_here() {
    runtime::Shard* const shard = runtime::Shard::current();
    SLUICE_ASSERT(shard != nullptr, "a PostgreSQL connection is used outside of a shard");
    return shard->executor();
}

/// Calls `handler` once, when the first of the waits on `socket` ends, and ends the other.
template <class Socket, class Handler>
class FirstWait : public std::enable_shared_from_this<FirstWait<Socket, Handler>> {
public:
    FirstWait(std::shared_ptr<Socket> socket, Handler handler)
        : socket_(std::move(socket)), handler_(std::move(handler)) {}

    void start(bool to_write_too) {
        auto ended = [self = this->shared_from_this()](boost::system::error_code error) { self->finish(error); };
        socket_->async_wait(Socket::wait_read, ended);
        if (to_write_too) socket_->async_wait(Socket::wait_write, ended);
    }

private:
    void finish(boost::system::error_code error) {
        if (!handler_) return;
        Handler handler = std::move(*handler_);
        handler_.reset();
        socket_->cancel();
        boost::asio::get_associated_cancellation_slot(handler).clear();
        std::move(handler)(error);
    }

    std::shared_ptr<Socket> socket_;
    std::optional<Handler> handler_;
};

}  // namespace

struct Link::Limit::State {
    State(runtime::Executor executor, std::chrono::milliseconds limit) : timer(executor, limit) {}
    LinkTimer timer;
    Link* link = nullptr;
};

Link::Limit::Limit(Link& link, std::chrono::milliseconds limit)
    : state_(std::make_shared<State>(executor_here(), limit)) {
    state_->link = &link;
    state_->timer.async_wait([state = state_](boost::system::error_code stopped) {
        if (stopped || state->link == nullptr) return;
        state->link->give_up();
        state->link->socket_->cancel();
    });
}

Link::Limit::~Limit() {
    state_->link = nullptr;
    state_->timer.cancel();
}

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
    // The descriptor is libpq's; Asio only watched it.
    if (socket_ && socket_->is_open()) socket_->release();
    socket_.reset();
}

void Link::enter_shard() {
    leave_shard();
    socket_ = std::make_shared<Socket>(executor_here(), PQsocket(handle()));
}

Task<void> Link::wait(bool to_write_too, Hearing hearing) {
    if (hearing == Hearing::normal && !to_write_too) {
        co_await socket_->async_wait(Socket::wait_read, runtime::use_task);
        co_return;
    }
    auto initiate = [socket = socket_, to_write_too, hearing](auto handler) {
        auto slot = boost::asio::get_associated_cancellation_slot(handler);
        if (hearing == Hearing::normal && slot.is_connected()) {
            slot.assign([socket](boost::asio::cancellation_type) { socket->cancel(); });
        }
        using Wait = FirstWait<Socket, decltype(handler)>;
        std::make_shared<Wait>(socket, std::move(handler))->start(to_write_too);
    };
    try {
        co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<runtime::Executor>&,
                                             void(boost::system::error_code)>(std::move(initiate), runtime::use_task);
    } catch (const boost::system::system_error&) {
        if (hearing == Hearing::normal) throw;  // a deaf wait was ended by its limit, which marked the link
    }
}

Task<bool> Link::flush(Hearing hearing) {
    for (;;) {
        if (lost()) co_return false;
        const int left = PQflush(handle());
        if (left == 0) co_return true;
        if (left < 0) co_return false;
        co_await wait(true, hearing);
        if (PQconsumeInput(handle()) == 0) co_return false;
    }
}

Task<bool> Link::until_ready(Hearing hearing) {
    while (PQisBusy(handle()) != 0) {
        if (broken_) co_return false;
        co_await wait(false, hearing);
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
