#include "sluice/db/internal/foreign_socket.hpp"

#include <optional>
#include <utility>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/system/system_error.hpp>

#include "sluice/core/assert.hpp"

namespace sluice::db::internal {
namespace {

runtime::Executor socket_executor() {
    runtime::Shard* const shard = runtime::Shard::current();
    SLUICE_ASSERT(shard != nullptr, "a database connection is used outside of a shard");
    return shard->executor();
}

/// Calls `handler` once, when the first of the waits on `socket` ends, and ends the other.
template <class Socket, class Handler>
class FirstWait : public std::enable_shared_from_this<FirstWait<Socket, Handler>> {
public:
    FirstWait(std::shared_ptr<Socket> socket, Handler handler)
        : socket_(std::move(socket)), handler_(std::move(handler)) {}

    void start(Ready what) {
        auto ended = [self = this->shared_from_this()](boost::system::error_code error) { self->finish(error); };
        if (what != Ready::to_write) socket_->async_wait(Socket::wait_read, ended);
        if (what != Ready::to_read) socket_->async_wait(Socket::wait_write, ended);
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

ForeignSocket::ForeignSocket(int descriptor) : socket_(std::make_shared<Descriptor>(socket_executor(), descriptor)) {}

ForeignSocket::~ForeignSocket() {
    // The descriptor is the library's; Asio only watched it.
    if (socket_->is_open()) socket_->release();
}

void ForeignSocket::cancel() {
    socket_->cancel();
}

// No coroutine of its own where Asio's does: every statement waits here.
runtime::Task<void> ForeignSocket::wait(Ready what, Hearing hearing) {
    if (hearing == Hearing::deaf || what == Ready::either) return wait_for_first(what, hearing);
    const auto direction = what == Ready::to_read ? Descriptor::wait_read : Descriptor::wait_write;
    return socket_->async_wait(direction, runtime::use_task);
}

runtime::Task<void> ForeignSocket::wait_for_first(Ready what, Hearing hearing) {
    auto initiate = [socket = socket_, what, hearing](auto handler) {
        auto slot = boost::asio::get_associated_cancellation_slot(handler);
        if (hearing == Hearing::normal && slot.is_connected()) {
            slot.assign([socket](boost::asio::cancellation_type) { socket->cancel(); });
        }
        using Wait = FirstWait<Descriptor, decltype(handler)>;
        std::make_shared<Wait>(socket, std::move(handler))->start(what);
    };
    try {
        co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<runtime::Executor>&,
                                             void(boost::system::error_code)>(std::move(initiate), runtime::use_task);
    } catch (const boost::system::system_error&) {
        if (hearing == Hearing::normal) throw;
    }
}

}  // namespace sluice::db::internal
