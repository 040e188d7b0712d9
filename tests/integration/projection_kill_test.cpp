// kill -9 at random moments under load: what was acknowledged is folded once, and the states are a fold of the log.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <iostream>
#include <random>

#include <gtest/gtest.h>

#include "projection_shop.hpp"
#include "sluice/projection/test_journal_model.hpp"
#include "sluice/testing/scale.hpp"

namespace sluice::projection_tests {
namespace {

using projection::sample::JournalMaker;
using projection::sample::StockReceived;

constexpr int kWriters = 6;

db::Task<void> write_for_ever(Shop& shop, std::uint64_t seed) {
    JournalMaker maker(seed, 20);
    while (true) {
        Journal::Event entry = maker.next();
        co_await shop.publish(std::move(entry));
        const StockReceived received{"article-" + std::to_string(maker.pick(7)), 1};
        co_await shop.publish(StockEvent(received));
        // One byte per acknowledged stock event.
        if (::write(STDOUT_FILENO, "+", 1) != 1) co_return;
    }
}

/// Starts the program, lets it acknowledge `enough` events, kills it. Answers how many it acknowledged.
std::int64_t kill_after(const std::string& dsn, std::uint64_t seed, std::int64_t enough) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::string program = "/proc/self/exe";
    std::string mode = "--child";
    std::string place = dsn;
    std::string number = std::to_string(seed);
    std::array<char*, 5> words{program.data(), mode.data(), place.data(), number.data(), nullptr};
    pid_t child = 0;
    EXPECT_EQ(::posix_spawn(&child, program.c_str(), &actions, nullptr, words.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    std::int64_t acknowledged = 0;
    std::array<char, 4'096> bytes{};
    bool killed = false;
    while (true) {
        if (!killed && acknowledged >= enough) killed = ::kill(child, SIGKILL) == 0;
        const ssize_t count = ::read(ends[0], bytes.data(), killed ? bytes.size() : 1);
        if (count <= 0) break;
        acknowledged += count;
    }
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << "the program ended by itself";
    return acknowledged;
}

TEST(ProjectionKill, states_are_the_fold_of_the_log_after_every_kill) {
    const std::uint64_t seed = std::random_device{}();
    const int kills = std::max(10, testing::scaled(10));
    std::cout << "seed " << seed << ", " << kills << " kills\n";
    std::mt19937_64 random(seed);
    const testing::TestDatabase database;
    std::int64_t acknowledged = 0;
    for (int kill = 0; kill < kills; ++kill) {
        acknowledged += kill_after(database.dsn(), seed + static_cast<std::uint64_t>(kill),
                                   std::uniform_int_distribution<std::int64_t>(0, 150)(random));
        Shop shop(database);
        shop.drain();
        const std::int64_t folded = shop.versions();
        // Each writer may have had one event under way, in each of its lives.
        EXPECT_GE(folded, acknowledged);
        EXPECT_LE(folded, acknowledged + static_cast<std::int64_t>(kWriters) * (kill + 1));
        EXPECT_EQ(shop.total("on_hand"), folded);
        shop.expect_sound();
        EXPECT_TRUE(shop.sink().complaints.empty()) << ::testing::PrintToString(shop.sink().complaints);
    }
    std::cout << acknowledged << " events acknowledged before a kill\n";
}

}  // namespace

int run_projection_child(const std::string& dsn, std::uint64_t seed) {
    const testing::TestDatabase database(dsn);
    Shop shop(database);
    std::vector<std::future<void>> writers;
    for (std::uint64_t writer = 0; writer < kWriters; ++writer)
        writers.push_back(runtime::start_on(shop.shard(), write_for_ever(shop, seed * 100 + writer)));
    for (std::future<void>& writer : writers)
        writer.get();
    return 1;
}

}  // namespace sluice::projection_tests
