#include "bench/swarm.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "bench/client_socket.hpp"
#include "bench/harness.hpp"
#include "bench/wire.hpp"

namespace sluice::bench {
namespace {

constexpr std::size_t kConnectWave = 64;  // handshakes in flight

class Swarm {
public:
    Swarm() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), buffer_(256 * 1024) {}
    ~Swarm() {
        for (const Member& member : members_)
            ::close(member.socket);
        if (publisher_ >= 0) ::close(publisher_);
        ::close(epoll_);
    }
    Swarm(const Swarm&) = delete;
    Swarm& operator=(const Swarm&) = delete;

    /// Each new member is greeted with `greetings` frames.
    void connect(int port, const std::string& path, std::size_t count, std::size_t greetings) {
        frames_ = 0;
        for (std::size_t wave = 0; wave < count; wave += kConnectWave) {
            const std::size_t first = members_.size();
            for (std::size_t i = wave; i < std::min(count, wave + kConnectWave); ++i) {
                members_.push_back({connect_to(port), {}});
                ask_upgrade(members_.back().socket, path);
            }
            for (std::size_t i = first; i < members_.size(); ++i) {
                members_[i].frames.feed(take_answer(members_[i].socket), [this](std::string_view) { ++frames_; });
                epoll_event event{EPOLLIN, {.u64 = i}};
                ::epoll_ctl(epoll_, EPOLL_CTL_ADD, members_[i].socket, &event);
            }
        }
        wait_for(count * greetings);
    }

    void open_publisher(int port, const std::string& path, std::size_t bytes) {
        publisher_ = connect_to(port);
        ask_upgrade(publisher_, path);
        take_answer(publisher_);
        message_ = '"' + std::string(bytes - 2, 'x') + '"';
    }

    /// Answers the bytes that all members read.
    std::size_t burst(std::size_t times, std::size_t frames, std::size_t each) {
        std::string out;
        for (std::size_t i = 0; i < frames; ++i)
            append_text_frame(out, message_, true);
        bytes_ = 0;
        for (std::size_t i = 0; i < times; ++i) {
            frames_ = 0;
            write_whole(publisher_, out);
            wait_for(members_.size() * frames * each);
        }
        return bytes_;
    }

    void subscribe(std::size_t begin, std::size_t end, std::size_t channels) {
        std::string out;
        for (std::size_t i = 0; i < channels; ++i)
            append_text_frame(out, fmt::format(R"({{"type":"subscribe","id":{},"channel":"feed/{}"}})", i + 1, i),
                              true);
        for (std::size_t from = begin; from < end; from += kConnectWave) {
            const std::size_t to = std::min(end, from + kConnectWave);
            frames_ = 0;
            for (std::size_t i = from; i < to; ++i)
                write_whole(members_.at(i).socket, out);
            wait_for((to - from) * channels);
        }
    }

private:
    struct Member {
        int socket;
        FrameCounter frames;
    };

    /// Spins: a client that sleeps would put the cost of waking it on the server's bill.
    void wait_for(std::size_t frames) {
        while (frames_ < frames)
            drain();
        if (frames_ > frames) throw std::runtime_error(fmt::format("{} frames instead of {}", frames_, frames));
    }

    bool drain() {
        std::array<epoll_event, 512> events;
        const int ready = ::epoll_wait(epoll_, events.data(), events.size(), 0);
        for (int i = 0; i < ready; ++i) {
            Member& member = members_[events[static_cast<std::size_t>(i)].data.u64];
            const ssize_t got = ::recv(member.socket, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
            if (got < 0 && errno == EAGAIN) continue;
            if (got <= 0) throw std::runtime_error("a member was dropped");
            bytes_ += static_cast<std::size_t>(got);
            member.frames.feed({buffer_.data(), static_cast<std::size_t>(got)},
                               [this](std::string_view) { ++frames_; });
        }
        return ready > 0;
    }

    int epoll_;
    std::vector<char> buffer_;
    std::vector<Member> members_;
    int publisher_ = -1;
    std::string message_;
    std::size_t frames_ = 0;
    std::size_t bytes_ = 0;
};

std::string perform(Swarm& swarm, const std::string& line) {
    std::istringstream words(line);
    std::string verb;
    std::string path;
    int port = 0;
    std::size_t a = 0;
    std::size_t b = 0;
    std::size_t c = 0;
    words >> verb;
    if (verb == "connect" && words >> port >> path >> a >> b) {
        swarm.connect(port, path, a, b);
        return "ok";
    }
    if (verb == "publisher" && words >> port >> path >> a) {
        swarm.open_publisher(port, path, a);
        return "ok";
    }
    if (verb == "burst" && words >> a >> b >> c) return fmt::to_string(swarm.burst(a, b, c));
    if (verb == "subscribe" && words >> a >> b >> c) {
        swarm.subscribe(a, b, c);
        return "ok";
    }
    return "error: no such command";
}

}  // namespace

int run_swarm() {
    raise_descriptor_limit();
    Swarm swarm;
    std::string line;
    while (read_line(line)) {
        try {
            answer(perform(swarm, line));
        } catch (const std::exception& error) {
            answer(fmt::format("error: {}", error.what()));
        }
    }
    return 0;
}

}  // namespace sluice::bench
