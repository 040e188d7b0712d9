// The readers of one file, lent in the order of asking.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "sluice/db/sqlite/database.hpp"
#include "sluice/db/sqlite/internal/instruments.hpp"
#include "sluice/db/sqlite/internal/reader.hpp"
#include "sluice/runtime/task.hpp"

namespace sluice::db::sqlite {

class ReaderPool;

/// The right to use one reader until it is destroyed. Movable.
class ReaderLease {
public:
    ReaderLease(std::shared_ptr<ReaderPool> pool, Reader& reader, ReadSessionPtr session);
    ReaderLease(ReaderLease&& other) noexcept;
    ReaderLease& operator=(ReaderLease&&) = delete;
    ~ReaderLease();

    [[nodiscard]] Reader& reader() const noexcept { return *reader_; }
    [[nodiscard]] const ReadSessionPtr& session() const noexcept { return session_; }

private:
    std::shared_ptr<ReaderPool> pool_;  // shared by the data source and everything borrowed from it
    Reader* reader_;
    ReadSessionPtr session_;
};

/// Thread-safe.
class ReaderPool : public std::enable_shared_from_this<ReaderPool> {
public:
    /// Opens `settings.readers` connections.
    ReaderPool(const Settings& settings, Instruments instruments);
    ~ReaderPool();

    /// Joins the threads and closes the files. Nothing is lent any more.
    void close();

    /// Waits in line for a reader, at most the busy timeout (`pool_exhausted`) and until `deadline` (`timeout`). On the
    /// calling shard; a cancelled wait leaves the line.
    runtime::Task<ReaderLease> borrow(bool transaction, SteadyTime deadline);

private:
    struct Waiter;
    class Place;

    Reader* take_or_wait(const std::shared_ptr<Waiter>& waiter);
    [[nodiscard]] Reader* leave_line(const std::shared_ptr<Waiter>& waiter);
    void give_back(Reader& reader);

    const std::string source_;
    const std::chrono::milliseconds wait_limit_;
    const std::size_t line_limit_;
    Instruments instruments_;
    std::mutex mutex_;
    std::deque<std::shared_ptr<Waiter>> line_;
    std::vector<Reader*> free_;
    std::vector<std::unique_ptr<Reader>> readers_;  // last: their threads call give_back
};

}  // namespace sluice::db::sqlite
