#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "bench/count_writes.hpp"
#include "bench/fanout_servers.hpp"
#include "bench/harness.hpp"
#include "bench/wire.hpp"

namespace sluice::bench {
namespace {

constexpr std::string_view kSwitching =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

class Floor {
public:
    Floor() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto* const plain = reinterpret_cast<sockaddr*>(&address);
        if (::bind(listener_, plain, size) != 0 || ::listen(listener_, 4096) != 0)
            throw std::runtime_error("the floor cannot listen");
        ::getsockname(listener_, plain, &size);
        port_ = ntohs(address.sin_port);
        watch(listener_);
        watch(STDIN_FILENO);
    }

    /// Until standard input ends.
    void run() {
        while (running_) {
            std::array<epoll_event, 256> events;
            const int ready = ::epoll_wait(epoll_, events.data(), events.size(), -1);
            for (int i = 0; i < ready; ++i)
                handle(events[static_cast<std::size_t>(i)].data.fd);
        }
    }

private:
    void watch(int descriptor) const {
        epoll_event event{EPOLLIN, {.fd = descriptor}};
        ::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event);
    }

    void handle(int descriptor) {
        if (descriptor == STDIN_FILENO) return obey();
        if (descriptor == listener_) return accept_one();
        if (descriptor == publisher_) return publish();
        greet(descriptor);
    }

    void obey() {
        std::string line;
        running_ = read_line(line);
        if (running_) answer(fmt::to_string(line == "port" ? std::uint64_t{port_} : write_calls()));
    }

    void accept_one() {
        const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (socket < 0) return;
        const int on = 1;
        ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        watch(socket);
    }

    /// A request fits into one read: the swarm writes it at once.
    void greet(int socket) {
        const ssize_t got = ::recv(socket, buffer_.data(), buffer_.size(), 0);
        if (got <= 0) {
            ::close(socket);
            return;
        }
        const std::string_view head(buffer_.data(), static_cast<std::size_t>(got));
        if (head.starts_with("GET /publish"))
            publisher_ = socket;
        else
            members_.push_back(socket);
        ::send(socket, kSwitching.data(), kSwitching.size(), MSG_NOSIGNAL);
    }

    void publish() {
        const ssize_t got = ::recv(publisher_, buffer_.data(), buffer_.size(), 0);
        if (got <= 0) {
            ::close(publisher_);
            publisher_ = -1;
            return;
        }
        frames_.feed({buffer_.data(), static_cast<std::size_t>(got)}, [this](std::string_view payload) {
            std::string frame;
            append_text_frame(frame, payload, false);
            for (const int member : members_)
                ::send(member, frame.data(), frame.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        });
    }

    int epoll_;
    int listener_;
    int publisher_ = -1;
    std::uint16_t port_ = 0;
    bool running_ = true;
    std::vector<int> members_;
    FrameCounter frames_;
    std::vector<char> buffer_ = std::vector<char>(64 * 1024);
};

}  // namespace

int run_floor_server() {
    raise_descriptor_limit();
    Floor().run();
    return 0;
}

}  // namespace sluice::bench
