// Listening sockets: each shard accepts for itself on the same port (SO_REUSEPORT).
//
//     net::Listener listener = net::listen("127.0.0.1", 8080);
//     net::Acceptor acceptor(shard, listener.open_another());
//     scope.spawn("accept", acceptor.run([](net::Socket socket) { … }));
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "sluice/core/error.hpp"
#include "sluice/core/log.hpp"
#include "sluice/net/stream.hpp"
#include "sluice/runtime/shard.hpp"
#include "sluice/runtime/task.hpp"

namespace sluice::net {

enum class ErrorKind : std::uint8_t {
    bad_address,     ///< not a numeric IPv4 or IPv6 address
    address_in_use,  ///< another program listens on the port
    not_permitted,   ///< a port below 1024 without the right to it
    other,
};

class Error final : public core::Error {
public:
    Error(ErrorKind kind, const std::string& text) : core::Error(text), kind_(kind) {}
    [[nodiscard]] ErrorKind kind() const noexcept { return kind_; }

private:
    ErrorKind kind_;
};

/// An address that is taken: the first socket finds out whether it is free and holds it until destruction.
class Listener {
public:
    Listener(Listener&& other) noexcept;
    Listener& operator=(Listener&&) = delete;
    ~Listener();

    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
    /// Another socket on the same address, bound and listening; its owner closes it. Throws Error.
    [[nodiscard]] int open_another() const;

private:
    friend Listener listen(const std::string& address, std::uint16_t port);
    Listener(boost::asio::ip::tcp::endpoint endpoint, int holder);

    boost::asio::ip::tcp::endpoint endpoint_;
    int holder_ = -1;  ///< bound, never listening: it only keeps the port
    std::uint16_t port_ = 0;
};

/// Takes `address`:`port` (0: any free port). Throws Error with one line that names both and what to do.
[[nodiscard]] Listener listen(const std::string& address, std::uint16_t port);

/// Accepts on one shard until cancelled.
class Acceptor {
public:
    /// `native`: from Listener::open_another.
    Acceptor(runtime::Shard& shard, int native, core::Logger log);

    /// Hands every accepted socket to `take`, which must not throw. When the process is out of descriptors it pauses
    /// until the next try may succeed, instead of spinning. Ends when cancelled or closed.
    runtime::Task<void> run(std::function<void(Socket)> take);
    void close() noexcept;

private:
    int accept_waiting(const std::function<void(Socket)>& take);

    boost::asio::basic_socket_acceptor<boost::asio::ip::tcp, runtime::Executor> acceptor_;
    boost::asio::ip::tcp protocol_;
    core::Logger log_;
    bool paused_ = false;
};

}  // namespace sluice::net
