#include "sluice/core/clock.hpp"

#include "sluice/core/assert.hpp"

namespace sluice::core {
namespace {

class RealClock final : public Clock {
public:
    SteadyTime steady_now() const noexcept override { return std::chrono::steady_clock::now(); }
    SystemTime system_now() const noexcept override {
        return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
    }
};

}  // namespace

const Clock& real_clock() noexcept {
    static const RealClock clock;
    return clock;
}

SteadyTime ManualClock::steady_now() const noexcept {
    return SteadyTime(std::chrono::nanoseconds(steady_ns_.load()));
}

SystemTime ManualClock::system_now() const noexcept {
    return SystemTime(std::chrono::microseconds(wall_us_.load()));
}

void ManualClock::advance(std::chrono::nanoseconds by) noexcept {
    SLUICE_ASSERT(by.count() >= 0, "a steady clock cannot go back by {} ns", -by.count());
    steady_ns_.fetch_add(by.count());
    wall_us_.fetch_add(std::chrono::duration_cast<std::chrono::microseconds>(by).count());
}

void ManualClock::jump_wall(std::chrono::microseconds by) noexcept {
    wall_us_.fetch_add(by.count());
}

}  // namespace sluice::core
