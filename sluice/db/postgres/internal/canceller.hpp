// Asks servers to cancel statements, on a thread of its own: libpq's request blocks.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include <libpq-fe.h>

namespace sluice::db::postgres {

struct FreeCancel {
    void operator()(PGcancel* request) const noexcept { PQfreeCancel(request); }
};
using CancelRequest = std::unique_ptr<PGcancel, FreeCancel>;

/// Thread-safe. Its thread starts with the first request and is joined by the destructor, which lets the request under
/// way finish and drops the rest.
class Canceller {
public:
    Canceller() = default;
    ~Canceller();
    Canceller(const Canceller&) = delete;
    Canceller& operator=(const Canceller&) = delete;

    /// Calls `done` on its thread once the server was told, or could not be. Until then a late cancel may hit whatever
    /// the connection does next.
    void request(CancelRequest what, std::function<void()> done);

private:
    struct Job {
        CancelRequest what;
        std::function<void()> done;
    };
    void work();

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Job> jobs_;
    bool ending_ = false;
    std::thread thread_;
};

}  // namespace sluice::db::postgres
