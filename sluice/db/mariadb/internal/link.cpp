#include "sluice/db/mariadb/internal/link.hpp"

#include <sys/socket.h>

#include <utility>

#include <fmt/format.h>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include "sluice/core/assert.hpp"
#include "sluice/db/mariadb/internal/exchange.hpp"

namespace sluice::db::mariadb {
namespace {

using db::internal::Ready;

constexpr int kReadOrWrite = MYSQL_WAIT_READ | MYSQL_WAIT_WRITE;

Ready ready_for(int waits) {
    if ((waits & kReadOrWrite) == MYSQL_WAIT_READ) return Ready::to_read;
    return (waits & kReadOrWrite) == MYSQL_WAIT_WRITE ? Ready::to_write : Ready::either;
}

}  // namespace

Link::Limit::Limit(Link& link, std::chrono::milliseconds limit)
    : alarm_(std::chrono::steady_clock::now() + limit), ends_(alarm_, [&link] { link.give_up(); }) {}

Link::Call::Call(Link& link, int waits, std::function<int(int ready)> resume) : link_(link) {
    SLUICE_ASSERT(link.waits_ == 0, "two calls at once on a connection to {}", link.settings_->dsn.place);
    link.waits_ = waits;
    link.resume_ = std::move(resume);
}

Link::Call::~Call() {
    if (link_.waits_ != 0) link_.end_call();
}

Link::Link(ConnectionHandle connection, std::shared_ptr<const LinkSettings> settings, std::string address)
    : connection_(std::move(connection)),
      settings_(std::move(settings)),
      address_(std::move(address)),
      statements_(settings_->statement_limit) {}

Link::~Link() {
    leave_shard();
}

bool Link::usable() const noexcept {
    return !broken_ && waits_ == 0 && !in_transaction() && (connection_->server_status & SERVER_STATUS_AUTOCOMMIT) != 0;
}

bool Link::in_transaction() const noexcept {
    return (connection_->server_status & SERVER_STATUS_IN_TRANS) != 0;
}

Said Link::said() const noexcept {
    return {mysql_errno(handle()), mysql_sqlstate(handle()), mysql_error(handle())};
}

Task<bool> Link::check() {
    Exchange exchange(*this, Exchange::Within::autocommit);
    exchange.add_control("DO 0");
    const Reply reply = co_await exchange.run(Hearing::normal);
    co_return !reply.error && usable();
}

void Link::leave_shard() {
    socket_.reset();
}

void Link::enter_shard() {
    socket_.emplace(mysql_get_socket(handle()));
}

void Link::give_up() noexcept {
    if (std::exchange(broken_, true)) return;
    // Reads and writes fail at once from now on, the farewell of mysql_close too.
    ::shutdown(mysql_get_socket(handle()), SHUT_RDWR);
    if (socket_) socket_->cancel();
}

void Link::end_call() noexcept {
    give_up();
    while (waits_ != 0)
        waits_ = resume_(MYSQL_WAIT_TIMEOUT);
    resume_ = nullptr;
}

Task<void> Link::finish(Hearing hearing) {
    while (waits_ != 0 && !broken_) {
        try {
            co_await socket_->wait(ready_for(waits_), hearing);
        } catch (const boost::system::system_error& error) {
            if (error.code() == boost::asio::error::operation_aborted) throw;
            give_up();
        }
        if (!broken_) waits_ = resume_(waits_ & kReadOrWrite);
    }
    if (waits_ != 0) end_call();
}

Task<bool> Link::run_text(std::string sql) {
    int failed = 0;
    const Call call(*this, mysql_real_query_start(&failed, handle(), sql.data(), sql.size()),
                    [&failed, this](int ready) { return mysql_real_query_cont(&failed, handle(), ready); });
    co_await finish(Hearing::deaf);
    co_return failed == 0;
}

Task<void> Link::kill_statement() {
    try {
        const auto until = std::chrono::steady_clock::now() + settings_->cleanup_limit;
        const std::unique_ptr<Link> other = co_await open(settings_, address_, until, Hearing::deaf);
        const Limit limit(*other, settings_->cleanup_limit);
        std::string sql = fmt::format("KILL QUERY {}", mysql_thread_id(handle()));
        static_cast<void>(co_await other->run_text(std::move(sql)));
    } catch (const Error&) {
        // The statement goes on; this link's own limit then gives it up.
    }
}

}  // namespace sluice::db::mariadb
