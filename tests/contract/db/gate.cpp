#include "gate.hpp"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string_view>
#include <utility>

#include "sluice/core/assert.hpp"

namespace sluice::contract {
namespace {

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

bool send_all(int to, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

/// What there is to read, or nothing at the end.
std::string_view read_some(int from, std::array<char, 65'536>& buffer) {
    const ssize_t size = ::recv(from, buffer.data(), buffer.size(), 0);
    return {buffer.data(), size > 0 ? static_cast<std::size_t>(size) : 0};
}

std::size_t after_host(const std::string& address) {
    return address.rfind(':', address.rfind('/')) + 1;
}

}  // namespace

Gate::Gate(std::uint16_t port)
    : server_port_(port),
      listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
      stop_(::eventfd(0, EFD_CLOEXEC)) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    const bool listens = ::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                         ::listen(listener_, 64) == 0 &&
                         ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0;
    SLUICE_ASSERT(listens, "the gate cannot listen");
    own_port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
}

Gate::~Gate() {
    ::eventfd_write(stop_, 1);
    acceptor_.join();
    for (std::thread& line : lines_)
        line.join();
    ::close(listener_);
    ::close(stop_);
}

void Gate::cut_at(std::string mark, Cut cut) {
    const std::lock_guard lock(mutex_);
    mark_ = std::move(mark);
    cut_ = cut;
}

void Gate::accept_all() {
    for (;;) {
        std::array<pollfd, 2> watched{{{stop_, POLLIN, 0}, {listener_, POLLIN, 0}}};
        ::poll(watched.data(), watched.size(), -1);
        if (watched[0].revents != 0) return;
        const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (client >= 0) lines_.emplace_back([this, client] { pass(client); });
    }
}

void Gate::pass(int client) {
    const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(server_port_);
    bool open = ::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    bool lose_answer = false;
    std::array<char, 65'536> buffer{};
    while (open) {
        std::array<pollfd, 3> watched{{{stop_, POLLIN, 0}, {client, POLLIN, 0}, {server, POLLIN, 0}}};
        ::poll(watched.data(), watched.size(), -1);
        if (watched[0].revents != 0) break;
        if (watched[1].revents != 0) {
            const std::string_view bytes = read_some(client, buffer);
            const Cut cut = verdict_on(bytes);
            lose_answer = lose_answer || cut == Cut::answer;
            open = !bytes.empty() && cut != Cut::request && send_all(server, bytes);
        }
        if (open && watched[2].revents != 0) {
            const std::string_view bytes = read_some(server, buffer);
            open = !bytes.empty() && !lose_answer && send_all(client, bytes);
        }
    }
    ::close(client);
    ::close(server);
}

Gate::Cut Gate::verdict_on(std::string_view bytes) {
    const std::lock_guard lock(mutex_);
    if (cut_ == Cut::none || bytes.find(mark_) == std::string_view::npos) return Cut::none;
    ++cuts_;
    return std::exchange(cut_, Cut::none);
}

std::string by_way_of(const std::string& address, std::uint16_t port) {
    return address.substr(0, after_host(address)) + std::to_string(port) + address.substr(address.rfind('/'));
}

std::uint16_t port_of(const std::string& address) {
    return static_cast<std::uint16_t>(std::stoi(address.substr(after_host(address))));
}

}  // namespace sluice::contract
