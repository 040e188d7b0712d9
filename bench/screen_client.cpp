#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "bench/client_socket.hpp"
#include "bench/harness.hpp"
#include "bench/percentiles.hpp"
#include "bench/screen_server.hpp"
#include "bench/wire.hpp"

namespace sluice::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view kDue = "\"due_ns\":";
constexpr std::chrono::seconds kPatience{30};

class Screens {
public:
    Screens() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), buffer_(256 * 1024) {}
    ~Screens() {
        for (const int socket : sockets_)
            ::close(socket);
        ::close(epoll_);
    }
    Screens(const Screens&) = delete;
    Screens& operator=(const Screens&) = delete;

    void connect(int port, int subscribers, int keys) {
        for (int i = 0; i < subscribers; ++i) {
            const int socket = connect_to(port);
            ask_upgrade(socket, "/t/bench/live");
            subscribed_ += count(take_answer(socket), "\"subscribed\"");
            std::string out;
            append_text_frame(
                out, fmt::format(R"({{"type":"subscribe","id":1,"channel":"projection/last_seen/key-{}"}})", i % keys),
                true);
            write_whole(socket, out);
            epoll_event event{EPOLLIN, {.u64 = sockets_.size()}};
            ::epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event);
            sockets_.push_back(socket);
            tails_.emplace_back();
        }
        const Clock::time_point end = Clock::now() + kPatience;
        while (subscribed_ < static_cast<std::size_t>(subscribers))
            read_ready(end);
    }

    std::string expect(std::size_t deliveries) {
        show_life();
        const Clock::time_point end = Clock::now() + kPatience;
        while (latencies_.count() < deliveries)
            read_ready(end);
        std::string result =
            fmt::format("{:.4f} {:.4f} {:.4f}", latencies_.at(0.5), latencies_.at(0.99), latencies_.at(0.999));
        latencies_ = Percentiles();
        return result;
    }

private:
    [[nodiscard]] static std::size_t count(std::string_view text, std::string_view word) {
        std::size_t found = 0;
        for (std::size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1))
            ++found;
        return found;
    }

    /// A connection that is silent for two ping intervals is closed.
    void show_life() const {
        std::string out;
        append_text_frame(out, R"({"type":"pong"})", true);
        for (const int socket : sockets_)
            write_whole(socket, out);
    }

    void read_ready(Clock::time_point end) {
        std::array<epoll_event, 512> events;
        const int ready = ::epoll_wait(epoll_, events.data(), events.size(), 1'000);
        for (int i = 0; i < ready; ++i)
            read(events[static_cast<std::size_t>(i)].data.u64);
        if (Clock::now() > end)
            throw std::runtime_error(
                fmt::format("{} subscribed, {} deliveries, and no more", subscribed_, latencies_.count()));
    }

    /// A read may end inside a number: the text behind the last whole one is kept.
    void read(std::size_t index) {
        const ssize_t got = ::recv(sockets_[index], buffer_.data(), buffer_.size(), MSG_DONTWAIT);
        if (got < 0 && errno == EAGAIN) return;
        if (got <= 0) throw std::runtime_error("a subscriber was dropped");
        const Clock::time_point now = Clock::now();
        std::string& tail = tails_[index];
        tail.append(buffer_.data(), static_cast<std::size_t>(got));
        std::size_t from = 0;
        for (std::size_t close = tail.find('}'); close != std::string::npos; close = tail.find('}', from)) {
            note(std::string_view(tail).substr(from, close - from), now);
            from = close + 1;
        }
        tail.erase(0, from);
    }

    void note(std::string_view text, Clock::time_point now) {
        subscribed_ += count(text, "\"subscribed\"");
        const std::size_t at = text.find(kDue);
        if (at == std::string_view::npos) return;
        std::int64_t due = 0;
        const std::string_view number = text.substr(at + kDue.size());
        std::from_chars(number.data(), number.data() + number.size(), due);
        latencies_.add(now.time_since_epoch() - std::chrono::nanoseconds(due));
    }

    int epoll_;
    std::vector<char> buffer_;
    std::vector<int> sockets_;
    std::vector<std::string> tails_;
    std::size_t subscribed_ = 0;
    Percentiles latencies_;
};

std::string perform_screen(Screens& screens, const std::string& line) {
    std::istringstream words(line);
    std::string verb;
    int port = 0;
    int subscribers = 0;
    std::size_t deliveries = 0;
    words >> verb;
    if (verb == "connect" && words >> port >> subscribers) {
        screens.connect(port, subscribers, kScreenKeys);
        return "ok";
    }
    if (verb == "expect" && words >> deliveries) return screens.expect(deliveries);
    return "error: no such command";
}

}  // namespace

int run_screen_client() {
    raise_descriptor_limit();
    Screens screens;
    std::string line;
    while (read_line(line)) {
        try {
            answer(perform_screen(screens, line));
        } catch (const std::exception& error) {
            answer(fmt::format("error: {}", error.what()));
        }
    }
    return 0;
}

}  // namespace sluice::bench
