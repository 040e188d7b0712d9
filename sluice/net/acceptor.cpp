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

/// accept(2) also reports what went wrong with the connection it would have handed over; the next one may be sound.
bool peer_left(const boost::system::error_code& error) {
    constexpr std::array kOfThePeer{ECONNABORTED, EPROTO, EPERM, ENETDOWN, ENETUNREACH, EHOSTDOWN, EHOSTUNREACH};
    return std::ranges::find(kOfThePeer, error.value()) != kOfThePeer.end();
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
    : acceptor_(shard.executor()), log_(std::move(log)) {
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    ::getsockname(native, reinterpret_cast<sockaddr*>(&bound), &size);
    const auto protocol = bound.ss_family == AF_INET6 ? boost::asio::ip::tcp::v6() : boost::asio::ip::tcp::v4();
    acceptor_.assign(protocol, native);
}

runtime::Task<void> Acceptor::run(std::function<void(Socket)> take) {
    const auto token = boost::asio::as_tuple(runtime::use_task);
    bool paused = false;
    while (acceptor_.is_open()) {
        auto [error, socket] = co_await acceptor_.async_accept(token);
        if (error == boost::asio::error::operation_aborted) co_return;
        if (!error) {
            if (std::exchange(paused, false)) log_.info("accepting connections again");
            take(std::move(socket));
            continue;
        }
        if (peer_left(error)) continue;
        // Out of descriptors or memory: whoever waits stays in the kernel's queue.
        if (!std::exchange(paused, true))
            log_.warn("cannot accept connections: {}; trying again every {} ms", error.message(), kPause.count());
        co_await runtime::sleep_for(kPause);
    }
}

void Acceptor::close() noexcept {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
}

}  // namespace sluice::net
