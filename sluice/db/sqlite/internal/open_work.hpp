// Counts what is open on a data source, so that closing can wait for it.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace sluice::db::sqlite {

/// Thread-safe. Every transaction and connection holds a Permit.
class OpenWork {
public:
    /// While it lives, closing waits. Movable.
    class Permit {
    public:
        explicit Permit(std::shared_ptr<OpenWork> work) : work_(std::move(work)) { work_->enter(); }
        Permit(Permit&&) noexcept = default;
        Permit& operator=(Permit&&) = delete;
        ~Permit() {
            if (work_) work_->leave();
        }

    private:
        std::shared_ptr<OpenWork> work_;
    };

    /// Calls `done` once nothing is open, perhaps at once, perhaps on another thread.
    void when_idle(std::function<void()> done) {
        {
            const std::lock_guard lock(mutex_);
            if (open_ > 0) return waiting_.push_back(std::move(done));
        }
        done();
    }

private:
    void enter() {
        const std::lock_guard lock(mutex_);
        ++open_;
    }
    void leave() {
        std::vector<std::function<void()>> tell;
        {
            const std::lock_guard lock(mutex_);
            if (--open_ == 0) tell.swap(waiting_);
        }
        for (const auto& done : tell)
            done();
    }

    std::mutex mutex_;
    std::size_t open_ = 0;
    std::vector<std::function<void()>> waiting_;
};

}  // namespace sluice::db::sqlite
