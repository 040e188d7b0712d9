#include "sluice/db/sqlite/internal/reader_pool.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "sluice/core/assert.hpp"
#include "sluice/db/internal/failures.hpp"
#include "sluice/runtime/wake.hpp"

namespace sluice::db::sqlite {
namespace {

EngineOptions reader_options(const Settings& settings) {
    EngineOptions options;
    options.source = settings.name;
    options.path = settings.path;
    options.mode = OpenMode::read;
    options.busy_timeout = settings.busy_timeout;
    return options;
}

}  // namespace

ReaderLease::ReaderLease(std::shared_ptr<ReaderPool> pool, Reader& reader, ReadSessionPtr session)
    : pool_(std::move(pool)), reader_(&reader), session_(std::move(session)) {}

ReaderLease::ReaderLease(ReaderLease&& other) noexcept
    : pool_(std::move(other.pool_)), reader_(other.reader_), session_(std::move(other.session_)) {}

ReaderLease::~ReaderLease() {
    if (pool_) reader_->end(std::move(session_));
}

struct ReaderPool::Waiter {
    explicit Waiter(runtime::Shard& shard) : wake(shard) {}
    runtime::Wake wake;
    Reader* granted = nullptr;  // under the pool's mutex
};

/// A place in the line; whoever leaves it early passes on what was granted meanwhile.
class ReaderPool::Place {
public:
    Place(ReaderPool& pool, std::shared_ptr<Waiter> waiter) : pool_(pool), waiter_(std::move(waiter)) {}
    ~Place() {
        if (!waiter_) return;
        if (Reader* const unused = pool_.leave_line(waiter_)) pool_.give_back(*unused);
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    /// The reader that was granted, or null; the place is given up either way.
    Reader* leave() { return pool_.leave_line(std::exchange(waiter_, nullptr)); }

private:
    ReaderPool& pool_;
    std::shared_ptr<Waiter> waiter_;
};

ReaderPool::ReaderPool(const Settings& settings, Instruments instruments)
    : source_(settings.name),
      wait_limit_(settings.busy_timeout),
      line_limit_(settings.queue_limit),
      instruments_(std::move(instruments)) {
    free_.reserve(settings.readers);
    readers_.reserve(settings.readers);
    for (std::uint32_t i = 0; i < settings.readers; ++i) {
        readers_.push_back(std::make_unique<Reader>(reader_options(settings), settings.reader_limit,
                                                    [this](Reader& reader) { give_back(reader); }));
        free_.push_back(readers_.back().get());
    }
}

ReaderPool::~ReaderPool() = default;

void ReaderPool::close() {
    std::vector<std::unique_ptr<Reader>> ending;
    {
        const std::lock_guard lock(mutex_);
        ending.swap(readers_);
    }
    ending.clear();  // joins; a reader may still give itself back
    const std::lock_guard lock(mutex_);
    free_.clear();
}

runtime::Task<ReaderLease> ReaderPool::borrow(bool transaction, SteadyTime deadline) {
    runtime::Shard* const shard = runtime::Shard::current();
    SLUICE_ASSERT(shard != nullptr, "a reader of {} was asked for outside a shard", source_);
    auto session = std::make_shared<ReadSession>();
    session->shard = shard;
    session->transaction = transaction;
    session->deadline = deadline;

    const SteadyTime began = std::chrono::steady_clock::now();
    auto waiter = std::make_shared<Waiter>(*shard);  // shared by this coroutine and the line
    Reader* reader = take_or_wait(waiter);
    if (reader == nullptr) {
        Place place(*this, waiter);
        const auto limit = std::min<std::chrono::steady_clock::duration>(wait_limit_, deadline - began);
        co_await waiter->wake.wait_for(limit);
        reader = place.leave();
    }
    const SteadyTime now = std::chrono::steady_clock::now();
    instruments_.reader_wait.observe(std::chrono::duration<double>(now - began).count());
    if (reader != nullptr) co_return ReaderLease(shared_from_this(), *reader, std::move(session));
    if (now >= deadline)
        throw internal::failure(ErrorKind::timeout, source_, "the deadline passed before a reader was free");
    throw internal::failure(
        ErrorKind::pool_exhausted, source_,
        fmt::format("no reader was free within {} ms; raise `readers` or keep reads shorter", wait_limit_.count()));
}

Reader* ReaderPool::take_or_wait(const std::shared_ptr<Waiter>& waiter) {
    const std::lock_guard lock(mutex_);
    if (!free_.empty()) {
        Reader* const reader = free_.back();
        free_.pop_back();
        instruments_.readers_in_use.add(1);
        return reader;
    }
    if (line_.size() >= line_limit_) {
        instruments_.refused.add();
        throw internal::failure(ErrorKind::pool_exhausted, source_,
                                fmt::format("{} reads wait already (queue_limit); try later", line_limit_));
    }
    line_.push_back(waiter);
    return nullptr;
}

Reader* ReaderPool::leave_line(const std::shared_ptr<Waiter>& waiter) {
    const std::lock_guard lock(mutex_);
    if (waiter->granted == nullptr) std::erase(line_, waiter);
    return waiter->granted;
}

void ReaderPool::give_back(Reader& reader) {
    std::shared_ptr<Waiter> next;
    {
        const std::lock_guard lock(mutex_);
        if (line_.empty()) {
            free_.push_back(&reader);
            instruments_.readers_in_use.add(-1);
            return;
        }
        next = std::move(line_.front());
        line_.pop_front();
        next->granted = &reader;
    }
    next->wake.notify();
}

}  // namespace sluice::db::sqlite
