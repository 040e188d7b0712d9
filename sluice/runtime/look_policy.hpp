// Whether a thread should look for an answer for a moment before it sleeps. To look pays when the other thread runs at
// the same time on a core of its own and answers within the moment; otherwise it takes the core that the other needs.
// Only trying tells, so a look in vain makes the next tries rarer, and one that was met makes them usual again.
#pragma once

#include <algorithm>
#include <cstdint>

namespace sluice::runtime {

/// Invariant: after n looks in vain 2^n - 1 sleeps pass until the next look, at most 15: two threads that
/// wait for each other find back to looking only when both look at once. Pure; one thread.
class LookPolicy {
public:
    /// Asked before every wait.
    [[nodiscard]] bool should_look() noexcept {
        if (sleeps_left_ == 0) return true;
        --sleeps_left_;
        return false;
    }
    /// The latest look was met.
    void met() noexcept { in_vain_ = 0; }
    /// The latest look ended without what it waited for.
    void in_vain() noexcept {
        in_vain_ = std::min(in_vain_ + 1, kMost);
        sleeps_left_ = (std::uint32_t{1} << in_vain_) - 1;
    }

private:
    static constexpr std::uint32_t kMost = 4;
    std::uint32_t in_vain_ = 0;  // in a row
    std::uint32_t sleeps_left_ = 0;
};

}  // namespace sluice::runtime
