// kill -9 at random moments: every acknowledged message is applied once and in order, and leaves the door at least
// once. SLUICE_KILLS makes it a campaign, SLUICE_SEED repeats one.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <random>
#include <sstream>
#include <thread>

#include <gtest/gtest.h>

#include "outbox_checker.hpp"
#include "sluice/testing/temp_folder.hpp"

namespace sluice::outbox_tests {
namespace {

/// A life on a server takes six times as long as one on a file.
int smoke_kills() {
    return testing::test_dialect() == db::Dialect::sqlite ? 30 : 10;
}

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
    const char* const given = std::getenv(name);
    return given != nullptr ? std::strtoull(given, nullptr, 10) : otherwise;
}

/// A child of this program in the mode given, and the end of its standard output.
struct Child {
    Child(std::string mode, const RunPlaces& places, std::uint64_t life) {
        std::array<int, 2> ends{};
        EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
        std::string program = "/proc/self/exe";
        std::string dsn = places.dsn;
        std::string letters = places.letters;
        std::string number = std::to_string(life);
        std::array<char*, 6> words{program.data(), mode.data(), dsn.data(), letters.data(), number.data(), nullptr};
        EXPECT_EQ(::posix_spawn(&pid, program.c_str(), &actions, nullptr, words.data(), environ), 0);
        posix_spawn_file_actions_destroy(&actions);
        ::close(ends[1]);
        output = ends[0];
    }
    ~Child() { ::close(output); }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    [[nodiscard]] int wait() const {
        int status = 0;
        ::waitpid(pid, &status, 0);
        return status;
    }

    pid_t pid = 0;
    int output = -1;
};

/// Takes the lines "key number" apart as they come.
class Acknowledgements {
public:
    explicit Acknowledgements(OutboxChecker& checker) : checker_(checker) {}
    void take(const char* bytes, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            if (bytes[i] != '\n') {
                line_.push_back(bytes[i]);
                continue;
            }
            std::istringstream words(std::exchange(line_, {}));
            KeyAndNumber message;
            words >> message.first >> message.second;
            checker_.acknowledged(std::move(message));
            ++taken_;
        }
    }
    [[nodiscard]] std::int64_t taken() const noexcept { return taken_; }

private:
    OutboxChecker& checker_;
    std::string line_;
    std::int64_t taken_ = 0;
};

/// Lets a process acknowledge `enough` messages, and kills it `later` than that.
void live_and_die(const RunPlaces& places, OutboxChecker& checker, std::uint64_t life, std::int64_t enough,
                  std::chrono::microseconds later) {
    const Child child("--child", places, life);
    Acknowledgements acknowledgements(checker);
    std::array<char, 4'096> bytes{};
    bool killed = false;
    for (;;) {
        if (!killed && acknowledgements.taken() >= enough) {
            std::this_thread::sleep_for(later);  // lint: allow sleep: the moment of the kill is random
            killed = ::kill(child.pid, SIGKILL) == 0;
        }
        const ssize_t count = ::read(child.output, bytes.data(), bytes.size());
        if (count <= 0) break;
        acknowledgements.take(bytes.data(), static_cast<std::size_t>(count));
    }
    const int status = child.wait();
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "the program ended by itself: " << status;
}

void print(const Findings& found, int kills) {
    std::cout << kills << " kills; " << found.acknowledged << " messages acknowledged, " << found.messages
              << " committed, " << found.applied << " applied in transactions, " << found.sent << " sent under leases\n"
              << "lost " << found.lost << " of " << found.acknowledged << ", invented " << found.invented << " of "
              << found.messages << ", applied twice " << found.applied_twice << " of " << found.applied
              << ", reordered " << found.reordered << " of " << found.applied + found.sent << ", gaps " << found.gaps
              << " of " << found.messages << " sequences\n"
              << "sent again " << found.sent_again << " of " << found.sent
              << " (not acknowledged at the kill), beyond the contract " << found.sent_beyond << " of " << found.sent
              << "\n";
}

TEST(OutboxKill, what_was_acknowledged_is_applied_once_in_order_and_sent_at_least_once) {
    const std::uint64_t seed = from_environment("SLUICE_SEED", std::random_device{}());
    const int kills = static_cast<int>(from_environment("SLUICE_KILLS", static_cast<std::uint64_t>(smoke_kills())));
    std::cout << "SLUICE_SEED=" << seed << ", " << kills << " kills\n";
    std::mt19937_64 random(seed);
    const testing::TempFolder folder;
    const testing::TestDatabase database;
    const RunPlaces places{database.dsn(), folder.file("letters.txt")};
    OutboxChecker checker(database, places.letters);

    for (int kill = 1; kill <= kills && checker.findings().clean(); ++kill) {
        const auto life = static_cast<std::uint64_t>(kill);
        const auto enough = static_cast<std::int64_t>(random() % 400);
        live_and_die(places, checker, life, enough, std::chrono::microseconds(random() % 5'000));
        checker.look_after(life);
    }
    const Child drain("--drain", places, static_cast<std::uint64_t>(kills) + 1);
    const int status = drain.wait();
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "not everything was delivered in two minutes";
    checker.look_after(static_cast<std::uint64_t>(kills) + 1);
    checker.look_at_the_end();

    const Findings& found = checker.findings();
    print(found, kills);
    EXPECT_TRUE(found.clean()) << ::testing::PrintToString(found.examples);
    EXPECT_GT(found.acknowledged, kills);
    EXPECT_EQ(found.applied, found.messages);
    EXPECT_EQ(found.sent, found.messages + found.sent_again);
}

}  // namespace
}  // namespace sluice::outbox_tests
