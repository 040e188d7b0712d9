#include "program.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <thread>

#include <gtest/gtest.h>

namespace sluice::contract {
namespace {

/// What comes out of one end until everybody has closed the other.
class Drain {
public:
    Drain() { EXPECT_EQ(pipe2(ends_.data(), O_CLOEXEC), 0); }
    ~Drain() { ::close(ends_[0]); }
    Drain(const Drain&) = delete;
    Drain& operator=(const Drain&) = delete;

    [[nodiscard]] int far_end() const { return ends_[1]; }
    void close_far_end() { ::close(ends_[1]); }
    std::string read_all() {
        std::string text;
        std::array<char, 4096> buffer{};
        for (ssize_t size = 0; (size = ::read(ends_[0], buffer.data(), buffer.size())) > 0;)
            text.append(buffer.data(), static_cast<std::size_t>(size));
        return text;
    }

private:
    std::array<int, 2> ends_{};
};

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> words;
    for (std::string& text : texts)
        words.push_back(text.data());
    words.push_back(nullptr);
    return words;
}

}  // namespace

Ended run_sluice(const std::vector<std::string>& words, const std::map<std::string, std::string>& environment) {
    const char* const program = std::getenv("SLUICE_TEST_CLI_BIN");
    if (program == nullptr) {
        ADD_FAILURE() << "SLUICE_TEST_CLI_BIN names no program";
        return {};
    }
    std::vector<std::string> arguments{program};
    arguments.insert(arguments.end(), words.begin(), words.end());
    std::vector<std::string> variables{"PATH=/usr/bin:/bin"};
    for (const char* const kept : {"ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"}) {
        if (const char* const value = std::getenv(kept)) variables.push_back(std::string(kept) + "=" + value);
    }
    for (const auto& [name, value] : environment)
        variables.push_back(name + "=" + value);
    Drain out;
    Drain err;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out.far_end(), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, err.far_end(), STDERR_FILENO);
    pid_t pid = 0;
    EXPECT_EQ(posix_spawn(&pid, program, &actions, nullptr, pointers(arguments).data(), pointers(variables).data()), 0);
    posix_spawn_file_actions_destroy(&actions);
    out.close_far_end();
    err.close_far_end();
    Ended ended;
    {
        const std::jthread reader([&] { ended.err = err.read_all(); });
        ended.out = out.read_all();
    }
    int status = 0;
    waitpid(pid, &status, 0);
    ended.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return ended;
}

std::string password_of(const std::string& dsn) {
    const std::size_t from = dsn.find(':', dsn.find("//")) + 1;
    return dsn.substr(from, dsn.find('@') - from);
}

}  // namespace sluice::contract
