// Messages to a foreign thread: any thread pushes, the owner takes all at once and sleeps when there are none.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "sluice/core/clock.hpp"
#include "sluice/runtime/look_policy.hpp"

namespace sluice::db::sqlite {

/// `push` from any thread; `take` and `wait` by the owner. A push wakes the owner only if it sleeps.
template <class Item>
class Inbox {
public:
    void push(Item item) {
        bool wake = false;
        {
            const std::lock_guard lock(mutex_);
            items_.push_back(std::move(item));
            filled_.store(true, std::memory_order_release);
            wake = asleep_;
        }
        if (wake) arrived_.notify_one();
    }

    /// Moves everything into `into`, which is cleared first. False when there was nothing.
    bool take(std::vector<Item>& into) {
        into.clear();
        if (!filled_.load(std::memory_order_acquire)) return false;
        const std::lock_guard lock(mutex_);
        into.swap(items_);
        filled_.store(false, std::memory_order_relaxed);
        return true;
    }

    /// Returns when there is something or `until` has passed; looks for `spin` before it sleeps, if that paid lately.
    void wait(core::SteadyTime until, std::chrono::nanoseconds spin) {
        if (spin.count() > 0 && looks_.should_look()) {
            if (spun(std::min(until, std::chrono::steady_clock::now() + spin))) return looks_.met();
            looks_.in_vain();
        }
        std::unique_lock lock(mutex_);
        asleep_ = true;
        const auto filled = [this] { return !items_.empty(); };
        if (until == core::SteadyTime::max()) {
            arrived_.wait(lock, filled);
        } else {
            arrived_.wait_until(lock, until, filled);
        }
        asleep_ = false;
    }

private:
    static constexpr int kLooksPerClockRead = 32;

    bool spun(core::SteadyTime until) const {
        do {
            for (int i = 0; i < kLooksPerClockRead; ++i) {
                if (filled_.load(std::memory_order_acquire)) return true;
#if defined(__x86_64__)
                __builtin_ia32_pause();
#endif
            }
        } while (std::chrono::steady_clock::now() < until);
        return false;
    }

    std::mutex mutex_;
    std::condition_variable arrived_;
    std::vector<Item> items_;
    bool asleep_ = false;
    std::atomic<bool> filled_{false};
    runtime::LookPolicy looks_;  // the owner's
};

}  // namespace sluice::db::sqlite
