// kill -9 at random moments loses nothing that was acknowledged.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <csignal>
#include <random>
#include <set>

#include <fmt/format.h>

#include "driver.hpp"

namespace sluice::contract {
namespace {

constexpr int kKills = 12;

/// The program itself, as a writer whose acknowledgements come through a pipe.
class AckChild {
public:
    AckChild(const Driver& driver, const std::string& location, std::int64_t first_id) {
        std::array<int, 2> ends{};
        EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
        from_child_ = ends[0];
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
        std::string program = "/proc/self/exe";
        std::string mode = "--ack-child";
        std::string name = driver.name();
        std::string place = location;
        std::string first = std::to_string(first_id);
        std::array<char*, 6> words{program.data(), mode.data(), name.data(), place.data(), first.data(), nullptr};
        EXPECT_EQ(posix_spawn(&pid_, program.c_str(), &actions, nullptr, words.data(), environ), 0);
        posix_spawn_file_actions_destroy(&actions);
        ::close(ends[1]);
    }
    ~AckChild() { ::close(from_child_); }
    AckChild(const AckChild&) = delete;
    AckChild& operator=(const AckChild&) = delete;

    /// Reads acknowledgements until there are `enough`, kills, and reads the rest.
    std::set<std::int64_t> kill_after(std::size_t enough) {
        while (count_lines() < enough && read_some()) {
        }
        ::kill(pid_, SIGKILL);
        while (read_some()) {
        }
        int status = 0;
        waitpid(pid_, &status, 0);
        EXPECT_TRUE(WIFSIGNALED(status)) << "the child ended by itself";
        return parsed();
    }

private:
    [[nodiscard]] std::size_t count_lines() const {
        return static_cast<std::size_t>(std::count(text_.begin(), text_.end(), '\n'));
    }
    bool read_some() {
        std::array<char, 4096> buffer{};
        const ssize_t size = ::read(from_child_, buffer.data(), buffer.size());
        if (size > 0) text_.append(buffer.data(), static_cast<std::size_t>(size));
        return size > 0;
    }
    [[nodiscard]] std::set<std::int64_t> parsed() const {
        std::set<std::int64_t> ids;
        std::string_view rest = text_;
        for (auto end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
            std::int64_t id = 0;
            std::from_chars(rest.data(), rest.data() + end, id);
            ids.insert(id);
            rest.remove_prefix(end + 1);
        }
        return ids;
    }

    pid_t pid_ = 0;
    int from_child_ = -1;
    std::string text_;
};

Task<std::set<std::int64_t>> ids_of(db::DataSource& source, std::string table) {
    const auto connection = co_await source.acquire(db::AccessIntent::read);
    const db::Result result = co_await connection->query("select id from " + table);
    std::set<std::int64_t> ids;
    for (const db::Row& row : result)
        ids.insert(row.get<std::int64_t>("id"));
    co_return ids;
}

class DbDurability : public DbContract {};

TEST_P(DbDurability, killed_writers_lose_no_acknowledged_unit_and_leave_no_half_one) {
    make_items();
    execute("create table twin(id bigint primary key)");
    const auto seed = std::random_device{}();
    SCOPED_TRACE(fmt::format("seed {}", seed));
    std::mt19937 random(seed);
    std::set<std::int64_t> acknowledged;
    for (int kill = 0; kill < kKills; ++kill) {
        AckChild child(driver(), sandbox().location(), 1'000'000LL * (kill + 1));
        acknowledged.merge(child.kill_after(std::uniform_int_distribution<std::size_t>(1, 150)(random)));
    }
    const std::set<std::int64_t> items = wait(ids_of(source(), "item"));
    const std::set<std::int64_t> twins = wait(ids_of(source(), "twin"));
    std::size_t lost = 0;
    for (std::int64_t id : acknowledged)
        lost += items.contains(id) ? 0 : 1;
    fmt::print("{}: {} kills, {} units acknowledged, {} lost, {} stored without acknowledgement\n", driver().name(),
               kKills, acknowledged.size(), lost, items.size() + lost - acknowledged.size());
    EXPECT_EQ(lost, 0U);
    EXPECT_EQ(items, twins) << "half a unit was stored";
    EXPECT_GE(acknowledged.size(), static_cast<std::size_t>(kKills));
}

INSTANTIATE_TEST_SUITE_P(Db, DbDurability, ::testing::ValuesIn(drivers()),
                         [](const auto& given) { return given.param->name(); });

}  // namespace
}  // namespace sluice::contract
