#include "sluice/testing/tcp_peer.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace sluice::testing {
namespace {

[[noreturn]] void fail(const std::string& what) {
    throw std::runtime_error("tcp peer: " + what);
}

std::string lower(std::string text) {
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

HttpAnswer parse_head(std::string_view head) {
    HttpAnswer answer;
    if (!head.starts_with("HTTP/1.1 ")) fail("no answer but '" + std::string(head.substr(0, 40)) + "'");
    answer.status = static_cast<unsigned>(std::stoul(std::string(head.substr(9, 3))));
    std::size_t at = head.find("\r\n") + 2;
    while (at < head.size()) {
        const std::size_t end = head.find("\r\n", at);
        const std::string_view line = head.substr(at, end - at);
        const std::size_t colon = std::min(line.find(": "), line.size());
        answer.headers[lower(std::string(line.substr(0, colon)))] = line.substr(std::min(colon + 2, line.size()));
        at = end + 2;
    }
    return answer;
}

}  // namespace

TcpPeer::TcpPeer(std::uint16_t port, std::chrono::milliseconds patience) : patience_(patience) {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return;
    const std::string why = std::strerror(errno);
    ::close(socket_);
    fail("cannot connect to port " + std::to_string(port) + ": " + why);
}

TcpPeer::~TcpPeer() {
    if (socket_ >= 0) ::close(socket_);
}

void TcpPeer::send(std::string_view bytes) {
    while (!bytes.empty()) {
        pollfd wait{socket_, POLLOUT, 0};
        if (::poll(&wait, 1, static_cast<int>(patience_.count())) <= 0) fail("the other side takes no bytes");
        const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EAGAIN) continue;
        if (sent < 0) return;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
}

void TcpPeer::send_in_pieces(std::string_view bytes, std::size_t size) {
    for (std::size_t at = 0; at < bytes.size(); at += size)
        send(bytes.substr(at, size));
}

void TcpPeer::shutdown_write() {
    ::shutdown(socket_, SHUT_WR);
}

void TcpPeer::reset() {
    const linger now{1, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    ::close(std::exchange(socket_, -1));
}

bool TcpPeer::is_connected() const {
    tcp_info info{};
    socklen_t size = sizeof info;
    if (::getsockopt(socket_, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return false;
    return info.tcpi_state != TCP_CLOSE;
}

bool TcpPeer::fill() {
    pollfd wait{socket_, POLLIN, 0};
    if (::poll(&wait, 1, static_cast<int>(patience_.count())) <= 0)
        fail("nothing came in time; so far '" + input_.substr(0, 200) + "'");
    char buffer[16 * 1024];
    const ssize_t got = ::recv(socket_, buffer, sizeof buffer, 0);
    if (got <= 0) return false;
    input_.append(buffer, static_cast<std::size_t>(got));
    return true;
}

std::string TcpPeer::read(std::size_t count) {
    while (input_.size() < count)
        if (!fill()) fail("closed after '" + input_ + "'");
    std::string bytes = input_.substr(0, count);
    input_.erase(0, count);
    return bytes;
}

std::string TcpPeer::read_until_closed() {
    while (fill()) {
    }
    return std::exchange(input_, {});
}

HttpAnswer TcpPeer::read_answer(bool to_head) {
    std::size_t end = 0;
    while ((end = input_.find("\r\n\r\n")) == std::string::npos)
        if (!fill()) fail("closed before an answer; so far '" + input_ + "'");
    HttpAnswer answer = parse_head(std::string_view(input_).substr(0, end + 2));
    input_.erase(0, end + 4);
    const auto length = answer.headers.find("content-length");
    if (!to_head && length != answer.headers.end()) answer.body = read(std::stoul(length->second));
    return answer;
}

}  // namespace sluice::testing
