// Writers on a data source while it is harmed, what each was told of its units, and the judge who compares that with
// the tables.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <future>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sluice/db/data_source.hpp"
#include "sluice/runtime/shard.hpp"

namespace sluice::pool_tests {

using SteadyClock = std::chrono::steady_clock;
using db::Task;

/// What a writer was told of a unit.
enum class Told : std::uint8_t { committed, rolled_back, unknown };

struct Attempt {
    std::int64_t id = 0;
    Told told = Told::unknown;
    SteadyClock::time_point ended;
};

/// All attempts of a load, and how often each kind of error was told.
struct Books {
    std::vector<Attempt> attempts;
    std::map<std::string, std::size_t> errors;

    [[nodiscard]] std::size_t count(Told told) const;
    /// The longest time without a commit between the first and the last.
    [[nodiscard]] std::chrono::milliseconds longest_silence() const;
    /// When the first unit was told committed after `moment`; empty if none was.
    [[nodiscard]] std::optional<SteadyClock::time_point> first_commit_after(SteadyClock::time_point moment) const;
};

/// Tables item(id) and twin(id), which each unit writes both.
Task<void> make_tables(db::DataSource& source);

/// Units of two inserts, one in seven given up on purpose, by writers on every shard, until it is stopped. Used from
/// the test's thread.
class Load {
public:
    Load(runtime::ShardGroup& shards, db::DataSource& source, std::uint32_t writers);
    ~Load();
    Load(const Load&) = delete;
    Load& operator=(const Load&) = delete;

    [[nodiscard]] std::int64_t committed() const noexcept { return committed_.load(); }
    [[nodiscard]] std::int64_t failed() const noexcept { return failed_.load(); }
    /// Waits until the count has grown by `more`; false if that takes longer than a minute.
    [[nodiscard]] bool until_committed(std::int64_t more) const;
    [[nodiscard]] bool until_failed(std::int64_t more) const;
    /// Every writer ends its unit; then the books are closed.
    Books stop();

private:
    Task<void> write(Books& book);
    Task<Told> one_unit(std::int64_t id, Books& book);

    db::DataSource& source_;
    std::atomic<bool> stopping_{false};
    std::atomic<std::int64_t> next_id_{1};
    std::atomic<std::int64_t> committed_{0};
    std::atomic<std::int64_t> failed_{0};  // not counting those that gave up
    std::vector<Books> books_;             // of one writer each
    std::vector<std::future<void>> writers_;
};

struct Verdict {
    std::size_t lost = 0;     ///< told committed and not in the table
    std::size_t phantom = 0;  ///< told rolled back and in the table
    std::size_t half = 0;     ///< in one table only
    std::size_t unknown = 0;  ///< told neither
    std::size_t unknown_stored = 0;
};

[[nodiscard]] Verdict judge(const Books& books, const std::set<std::int64_t>& items,
                            const std::set<std::int64_t>& twins);

/// The ids in `table`.
Task<std::set<std::int64_t>> ids_in(db::DataSource& source, std::string table);

/// Prints what happened, with N beside every zero, and fails the test if anybody was told what is not so.
void expect_books_hold(const Books& books, const std::set<std::int64_t>& items, const std::set<std::int64_t>& twins);

}  // namespace sluice::pool_tests
