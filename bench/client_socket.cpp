#include "bench/client_socket.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>

#include <fmt/format.h>

namespace sluice::bench {

int connect_to(int port) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket < 0) throw std::runtime_error("out of descriptors");
    const int on = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const linger at_once{1, 0};  // thousands of sockets in TIME_WAIT would be in the way of the next round
    ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        throw std::runtime_error(fmt::format("cannot connect: errno {}", errno));
    return socket;
}

void write_whole(int socket, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t put = ::write(socket, bytes.data(), bytes.size());
        if (put > 0) bytes.remove_prefix(static_cast<std::size_t>(put));
        if (put < 0 && errno != EAGAIN && errno != EINTR) throw std::runtime_error("a connection broke");
    }
}

void ask_upgrade(int socket, const std::string& path) {
    write_whole(socket,
                fmt::format("GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                            "Sec-WebSocket-Protocol: sluice.v1.json\r\n\r\n",
                            path));
}

std::string take_answer(int socket) {
    std::string text;
    std::size_t end = 0;
    while ((end = text.find("\r\n\r\n")) == std::string::npos) {
        char buffer[2048];
        const ssize_t got = ::read(socket, buffer, sizeof buffer);
        if (got <= 0) throw std::runtime_error("a handshake was not answered");
        text.append(buffer, static_cast<std::size_t>(got));
    }
    if (!text.starts_with("HTTP/1.1 101")) throw std::runtime_error("refused: " + text.substr(0, text.find('\r')));
    return text.substr(end + 4);
}

}  // namespace sluice::bench
