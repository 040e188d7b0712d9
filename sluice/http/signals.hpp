// Waiting for SIGINT and SIGTERM on the program's main thread.
//
//     http::Signals signals;                        // before any thread is started
//     …start everything…
//     signals.wait();
//     signals.release();                            // a second one ends the process at once
//     …drain…
#pragma once

#include <chrono>
#include <csignal>
#include <optional>

namespace sluice::http {

/// Blocks both signals for the calling thread and all it starts from then on, so that only `wait` takes them. One per
/// program; construction, calls and destruction on one thread.
class Signals {
public:
    Signals();
    /// As `release`.
    ~Signals();
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;

    /// Waits until one arrives and answers which.
    int wait();
    /// As `wait`, at most `limit`.
    [[nodiscard]] std::optional<int> wait_for(std::chrono::milliseconds limit);
    /// Gives both their former effect back on this thread. Idempotent.
    void release() noexcept;

private:
    sigset_t taken_{};
    sigset_t before_{};
    bool released_ = false;
};

}  // namespace sluice::http
