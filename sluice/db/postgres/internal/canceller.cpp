#include "sluice/db/postgres/internal/canceller.hpp"

#include <array>
#include <utility>

namespace sluice::db::postgres {

Canceller::~Canceller() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    changed_.notify_one();
    if (thread_.joinable()) thread_.join();
}

void Canceller::request(CancelRequest what, std::function<void()> done) {
    {
        const std::lock_guard lock(mutex_);
        jobs_.push_back({std::move(what), std::move(done)});
        if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
    }
    changed_.notify_one();
}

void Canceller::work() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return ending_ || !jobs_.empty(); });
        if (ending_) return;
        const Job job = std::move(jobs_.front());
        jobs_.pop_front();
        lock.unlock();
        std::array<char, 256> reason{};
        // A server that cannot be told goes on; the connection's own limit then gives it up.
        static_cast<void>(PQcancel(job.what.get(), reason.data(), static_cast<int>(reason.size())));
        job.done();
        lock.lock();
    }
}

}  // namespace sluice::db::postgres
