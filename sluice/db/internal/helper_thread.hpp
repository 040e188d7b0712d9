// A thread for what blocks in a client library: jobs, one after another.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace sluice::db::internal {

/// Thread-safe. The thread starts with the first job and is joined by the destructor, which lets the job under way
/// finish and drops the rest.
class HelperThread {
public:
    using Job = std::move_only_function<void()>;

    HelperThread() = default;
    ~HelperThread();
    HelperThread(const HelperThread&) = delete;
    HelperThread& operator=(const HelperThread&) = delete;

    void post(Job job);

private:
    void work();

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Job> jobs_;
    bool ending_ = false;
    std::thread thread_;
};

}  // namespace sluice::db::internal
