#include "tests/conformance/http/demo_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <utility>

namespace sluice::conformance::http {
namespace {

constexpr int kPatienceMs = 60'000;

/// Reads until the program has said where it listens.
std::uint16_t port_from(int output) {
    constexpr std::string_view kMark = "listening on http://127.0.0.1:";
    std::string said;
    while (true) {
        const std::size_t at = said.find(kMark);
        if (at != std::string::npos && said.find('\n', at) != std::string::npos)
            return static_cast<std::uint16_t>(std::stoul(said.substr(at + kMark.size())));
        pollfd wait{output, POLLIN, 0};
        if (::poll(&wait, 1, kPatienceMs) <= 0) throw std::runtime_error("the server did not come up: " + said);
        std::array<char, 512> bytes{};
        const ssize_t count = ::read(output, bytes.data(), bytes.size());
        if (count <= 0) throw std::runtime_error("the server ended: " + said);
        said.append(bytes.data(), static_cast<std::size_t>(count));
    }
}

}  // namespace

DemoProcess::DemoProcess(const std::string& program) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::array<std::string, 7> texts{program, "--port", "0", "--data", folder_.file("data"), "--quiet", ""};
    std::array<char*, 7> words{};
    for (std::size_t i = 0; i + 1 < texts.size(); ++i)
        words[i] = texts[i].data();
    const int failed = ::posix_spawn(&child_, program.c_str(), &actions, nullptr, words.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    output_ = ends[0];
    if (failed != 0) throw std::runtime_error("cannot start " + program);
    try {
        port_ = port_from(output_);
    } catch (...) {
        stop();
        throw;
    }
}

DemoProcess::~DemoProcess() {
    stop();
}

int DemoProcess::stop() {
    if (child_ == 0) return 0;
    int status = 0;
    ::kill(child_, SIGTERM);
    ::waitpid(std::exchange(child_, 0), &status, 0);
    ::close(std::exchange(output_, -1));
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace sluice::conformance::http
