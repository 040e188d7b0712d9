// Deadlines of many connections on one timer: buckets of keys, one bucket per tick. A key is only looked at when its
// bucket comes round; life on a connection changes nothing here, the visitor looks and schedules again.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace sluice::realtime {

/// Counted from the start of the process, on the monotonic clock.
using Tick = std::uint32_t;

template <class Key>
class TimerWheel {
public:
    explicit TimerWheel(Tick now) noexcept : now_(now) {}

    /// `key` is visited at `due`, or earlier if that is beyond the wheel's horizon, but not in the current tick.
    void schedule(Key key, Tick due) {
        const Tick at = std::clamp(due, now_ + 1, now_ + static_cast<Tick>(kBuckets) - 1);
        buckets_[at % kBuckets].push_back(key);
        ++size_;
    }

    /// Calls `visit(key)` for every key whose bucket lies in (last advance, now]; it may schedule. A jump over the
    /// whole horizon visits each key once.
    template <class Visit>
    void advance(Tick now, Visit visit) {
        const Tick first = now_ + 1;
        const Tick steps = now > now_ ? std::min<Tick>(now - now_, static_cast<Tick>(kBuckets)) : 0;
        now_ = std::max(now_, now);
        std::vector<Key> due;
        for (Tick i = 0; i < steps; ++i) {
            std::vector<Key>& bucket = buckets_[(first + i) % kBuckets];
            due.insert(due.end(), bucket.begin(), bucket.end());
            bucket.clear();
        }
        size_ -= due.size();
        for (const Key& key : due)
            visit(key);
    }

    [[nodiscard]] Tick now() const noexcept { return now_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
    static constexpr std::size_t kBuckets = 128;
    std::array<std::vector<Key>, kBuckets> buckets_;
    std::size_t size_ = 0;
    Tick now_;
};

}  // namespace sluice::realtime
