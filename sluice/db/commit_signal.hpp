// Tells whoever listens that a unit of work was committed which wrote something for them: the outbox's sequencer, when
// messages were published in this process. A hint, never a promise: other processes commit without it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>

namespace sluice::db {

/// Thread-safe.
class CommitSignal : public std::enable_shared_from_this<CommitSignal> {
public:
    using Listener = std::function<void()>;

    /// Ends with its destruction; after it the listener is not called any more.
    class Listening {
    public:
        Listening() = default;
        Listening(std::weak_ptr<CommitSignal> signal, std::uint64_t id) noexcept
            : signal_(std::move(signal)), id_(id) {}
        Listening(Listening&& other) noexcept = default;
        Listening& operator=(Listening&& other) noexcept;
        ~Listening() { end(); }

    private:
        void end() noexcept;

        std::weak_ptr<CommitSignal> signal_;
        std::uint64_t id_ = 0;
    };

    /// `listener` runs on the thread of whoever commits, under a lock: it must be quick, must not throw and must not
    /// come back here.
    [[nodiscard]] Listening listen(Listener listener);
    void raise() noexcept;

private:
    std::mutex mutex_;
    std::map<std::uint64_t, Listener> listeners_;  // guarded by mutex_
    std::uint64_t last_ = 0;                       // likewise
};

}  // namespace sluice::db
