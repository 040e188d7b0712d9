#include "sluice/net/acceptor.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/address.hpp>

#include "sluice/runtime/wake.hpp"

namespace sluice::net {
namespace {

constexpr int kBacklog = 4096;
constexpr std::chrono::milliseconds kPause{50};
// Few: handshakes that go on side by side leave holes in the heap between what lives on (32 at once: 44 more bytes a
// connection, and no less CPU).
constexpr int kAcceptsPerWait = 4;

[[noreturn]] void fail(const boost::asio::ip::tcp::endpoint& endpoint, int error) {
    const std::string place = fmt::format("{}:{}", endpoint.address().to_string(), endpoint.port());
    if (error == EADDRINUSE)
        throw Error(ErrorKind::address_in_use,
                    fmt::format("cannot listen on {}: the port is taken; stop the other program or choose another port",
                                place));
    if (error == EACCES)
        throw Error(ErrorKind::not_permitted,
                    fmt::format("cannot listen on {}: not permitted; choose a port above 1023", place));
    throw Error(ErrorKind::other, fmt::format("cannot listen on {}: {}", place, std::strerror(error)));
}

void set(int socket, int level, int option) {
    const int on = 1;
    ::setsockopt(socket, level, option, &on, sizeof on);
}

int open_bound(const boost::asio::ip::tcp::endpoint& endpoint) {
    const int family = endpoint.address().is_v6() ? AF_INET6 : AF_INET;
    const int socket = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (socket < 0) fail(endpoint, errno);
    set(socket, SOL_SOCKET, SO_REUSEADDR);
    set(socket, SOL_SOCKET, SO_REUSEPORT);
    if (::bind(socket, endpoint.data(), static_cast<socklen_t>(endpoint.size())) != 0) {
        const int error = errno;
        ::close(socket);
        fail(endpoint, error);
    }
    return socket;
}

/// SO_REUSEPORT would let two servers of one user share a port in silence: a first bind without it finds out.
void refuse_taken(const boost::asio::ip::tcp::endpoint& endpoint) {
    if (endpoint.port() == 0) return;
    const int family = endpoint.address().is_v6() ? AF_INET6 : AF_INET;
    const int probe = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe < 0) fail(endpoint, errno);
    set(probe, SOL_SOCKET, SO_REUSEADDR);
    const bool free = ::bind(probe, endpoint.data(), static_cast<socklen_t>(endpoint.size())) == 0;
    const int error = errno;
    ::close(probe);
    if (!free) fail(endpoint, error);
}

boost::asio::ip::tcp protocol_of(int native) {
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    ::getsockname(native, reinterpret_cast<sockaddr*>(&bound), &size);
    return bound.ss_family == AF_INET6 ? boost::asio::ip::tcp::v6() : boost::asio::ip::tcp::v4();
}

/// accept(2) also reports what went wrong with the connection it would have handed over; the next one may be sound.
bool peer_left(int error) {
    constexpr std::array kOfThePeer{ECONNABORTED, EPROTO, EPERM, ENETDOWN, ENETUNREACH, EHOSTDOWN, EHOSTUNREACH, EINTR};
    return std::ranges::find(kOfThePeer, error) != kOfThePeer.end();
}

}  // namespace

Listener::Listener(boost::asio::ip::tcp::endpoint endpoint, int holder)
    : endpoint_(std::move(endpoint)), holder_(holder), port_(endpoint_.port()) {}

Listener::Listener(Listener&& other) noexcept
    : endpoint_(other.endpoint_), holder_(std::exchange(other.holder_, -1)), port_(other.port_) {}

Listener::~Listener() {
    if (holder_ >= 0) ::close(holder_);
}

int Listener::open_another() const {
    const int socket = open_bound(endpoint_);
    if (::listen(socket, kBacklog) == 0) return socket;
    const int error = errno;
    ::close(socket);
    fail(endpoint_, error);
}

Listener listen(const std::string& address, std::uint16_t port) {
    boost::system::error_code error;
    const auto parsed = boost::asio::ip::make_address(address, error);
    if (error)
        throw Error(ErrorKind::bad_address,
                    fmt::format("'{}' is not a numeric IPv4 or IPv6 address to listen on", address));
    boost::asio::ip::tcp::endpoint endpoint(parsed, port);
    refuse_taken(endpoint);
    const int holder = open_bound(endpoint);
    socklen_t size = static_cast<socklen_t>(endpoint.capacity());
    ::getsockname(holder, endpoint.data(), &size);
    return Listener(endpoint, holder);
}

Acceptor::Acceptor(runtime::Shard& shard, int native, core::Logger log)
    : acceptor_(shard.executor()), protocol_(protocol_of(native)), log_(std::move(log)) {
    acceptor_.assign(protocol_, native);
    acceptor_.non_blocking(true);
}

/// Takes what waits, one system call each. Answers the error that stopped it, or 0.
int Acceptor::accept_waiting(const std::function<void(Socket)>& take) {
    for (int i = 0; i < kAcceptsPerWait && acceptor_.is_open(); ++i) {
        const int native = ::accept4(acceptor_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (native < 0) {
            if (errno == EAGAIN || errno == EWOULDBLOCK) return 0;
            if (peer_left(errno)) continue;
            return errno;
        }
        if (std::exchange(paused_, false)) log_.info("accepting connections again");
        Socket socket(acceptor_.get_executor());
        boost::system::error_code error;
        socket.assign(protocol_, native, error);
        if (error) {
            ::close(native);
            return error.value();
        }
        take(std::move(socket));
    }
    return 0;
}

runtime::Task<void> Acceptor::run(std::function<void(Socket)> take) {
    const auto token = boost::asio::as_tuple(runtime::use_task);
    while (acceptor_.is_open()) {
        const auto [ended] = co_await acceptor_.async_wait(boost::asio::socket_base::wait_read, token);
        if (ended) co_return;
        const int error = accept_waiting(take);
        if (error == 0) continue;
        // Out of descriptors or memory: whoever waits stays in the kernel's queue.
        if (!std::exchange(paused_, true))
            log_.warn("cannot accept connections: {}; trying again every {} ms", std::strerror(error), kPause.count());
        co_await runtime::sleep_for(kPause);
    }
}

void Acceptor::close() noexcept {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
}

}  // namespace sluice::net
