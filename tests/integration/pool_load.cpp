#include "pool_load.hpp"

#include <algorithm>
#include <stdexcept>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sluice/db/error.hpp"
#include "sluice/runtime/outside.hpp"
#include "sluice/runtime/wake.hpp"

namespace sluice::pool_tests {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPause{5};
constexpr std::chrono::seconds kPatience{60};
constexpr std::int64_t kGivesUpEach = 7;

struct GaveUp : std::runtime_error {
    GaveUp() : std::runtime_error("gave up") {}
};

Task<void> insert_pair(db::UnitOfWork& unit, std::int64_t id) {
    co_await unit.execute("insert into item(id) values ($1)", id);
    co_await unit.execute("insert into twin(id) values ($1)", id);
    if (id % kGivesUpEach == 0) throw GaveUp();
}

bool grows_by(const std::atomic<std::int64_t>& count, std::int64_t more) {
    const std::int64_t enough = count.load() + more;
    const auto limit = SteadyClock::now() + kPatience;
    while (count.load() < enough && SteadyClock::now() < limit)
        std::this_thread::sleep_for(milliseconds(1));  // lint: allow sleep: between two looks at the count
    return count.load() >= enough;
}

std::vector<SteadyClock::time_point> commit_times(const Books& books) {
    std::vector<SteadyClock::time_point> times;
    for (const Attempt& attempt : books.attempts) {
        if (attempt.told == Told::committed) times.push_back(attempt.ended);
    }
    std::ranges::sort(times);
    return times;
}

}  // namespace

std::size_t Books::count(Told told) const {
    return static_cast<std::size_t>(std::ranges::count(attempts, told, &Attempt::told));
}

milliseconds Books::longest_silence() const {
    const std::vector<SteadyClock::time_point> times = commit_times(*this);
    SteadyClock::duration longest{};
    for (std::size_t i = 1; i < times.size(); ++i)
        longest = std::max(longest, times[i] - times[i - 1]);
    return std::chrono::duration_cast<milliseconds>(longest);
}

std::optional<SteadyClock::time_point> Books::first_commit_after(SteadyClock::time_point moment) const {
    const std::vector<SteadyClock::time_point> times = commit_times(*this);
    const auto found = std::ranges::upper_bound(times, moment);
    return found == times.end() ? std::nullopt : std::optional(*found);
}

Task<void> make_tables(db::DataSource& source) {
    const auto connection = co_await source.acquire(db::AccessIntent::write);
    for (const char* const table : {"item", "twin"}) {
        co_await connection->execute(fmt::format("drop table if exists {}", table));
        co_await connection->execute(fmt::format("create table {}(id bigint primary key)", table));
    }
}

Load::Load(runtime::ShardGroup& shards, db::DataSource& source, std::uint32_t writers) : source_(source) {
    books_.resize(writers);
    for (std::uint32_t i = 0; i < writers; ++i)
        writers_.push_back(runtime::start_on(shards.at(i % shards.size()), write(books_[i])));
}

Load::~Load() {
    stopping_ = true;
    for (std::future<void>& writer : writers_)
        if (writer.valid()) writer.wait();
}

bool Load::until_committed(std::int64_t more) const {
    return grows_by(committed_, more);
}

bool Load::until_failed(std::int64_t more) const {
    return grows_by(failed_, more);
}

Books Load::stop() {
    stopping_ = true;
    Books all;
    for (std::size_t i = 0; i < writers_.size(); ++i) {
        writers_[i].get();
        all.attempts.insert(all.attempts.end(), books_[i].attempts.begin(), books_[i].attempts.end());
        for (const auto& [kind, count] : books_[i].errors)
            all.errors[kind] += count;
    }
    return all;
}

Task<void> Load::write(Books& book) {
    while (!stopping_) {
        const std::int64_t id = next_id_++;
        const Told told = co_await one_unit(id, book);
        book.attempts.push_back({id, told, SteadyClock::now()});
        if (told == Told::committed) ++committed_;
        if (told == Told::committed || id % kGivesUpEach == 0) continue;
        ++failed_;
        co_await runtime::sleep_for(kPause);  // lint: allow sleep: a client's pause before it tries again
    }
}

Task<Told> Load::one_unit(std::int64_t id, Books& book) {
    const db::TransactionOptions options;
    const auto body = [id](db::UnitOfWork& unit) { return insert_pair(unit, id); };
    Told told = Told::committed;
    try {
        co_await source_.transaction(options, body);
    } catch (const db::Error& error) {
        told = error.kind() == db::ErrorKind::outcome_unknown ? Told::unknown : Told::rolled_back;
        ++book.errors[std::string(to_string(error.kind()))];
    } catch (const GaveUp&) {
        told = Told::rolled_back;
    }
    co_return told;
}

Verdict judge(const Books& books, const std::set<std::int64_t>& items, const std::set<std::int64_t>& twins) {
    Verdict verdict;
    for (const Attempt& attempt : books.attempts) {
        const bool stored = items.contains(attempt.id);
        verdict.half += stored != twins.contains(attempt.id) ? 1 : 0;
        verdict.lost += attempt.told == Told::committed && !stored ? 1 : 0;
        verdict.phantom += attempt.told == Told::rolled_back && stored ? 1 : 0;
        verdict.unknown += attempt.told == Told::unknown ? 1 : 0;
        verdict.unknown_stored += attempt.told == Told::unknown && stored ? 1 : 0;
    }
    return verdict;
}

Task<std::set<std::int64_t>> ids_in(db::DataSource& source, std::string table) {
    const auto connection = co_await source.acquire(db::AccessIntent::read);
    const db::Result result = co_await connection->query("select id from " + table);
    std::set<std::int64_t> ids;
    for (const db::Row& row : result)
        ids.insert(row.get<std::int64_t>(0));
    co_return ids;
}

void expect_books_hold(const Books& books, const std::set<std::int64_t>& items, const std::set<std::int64_t>& twins) {
    const Verdict verdict = judge(books, items, twins);
    fmt::print(
        "{} units: lost {} of {} told committed, phantom {} of {} told rolled back, half {} of {} stored, "
        "unknown {} ({} stored)\n",
        books.attempts.size(), verdict.lost, books.count(Told::committed), verdict.phantom,
        books.count(Told::rolled_back), verdict.half, items.size(), verdict.unknown, verdict.unknown_stored);
    for (const auto& [kind, count] : books.errors)
        fmt::print("  {} told {} times\n", kind, count);
    EXPECT_EQ(verdict.lost, 0U);
    EXPECT_EQ(verdict.phantom, 0U);
    EXPECT_EQ(verdict.half, 0U);
    EXPECT_EQ(items.size(), books.count(Told::committed) + verdict.unknown_stored) << "stored without an attempt";
}

}  // namespace sluice::pool_tests
