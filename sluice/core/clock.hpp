// Time as a dependency. Elapsed time is measured on the steady clock; wall time is only for people and for records.
//
//     core::ManualClock clock;
//     clock.advance(std::chrono::seconds(5));
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace sluice::core {

using SteadyTime = std::chrono::steady_clock::time_point;
using SystemTime = std::chrono::sys_time<std::chrono::microseconds>;

/// Source of both times. Implementations are thread-safe and never block.
class Clock {
public:
    virtual ~Clock() = default;
    /// Monotonic; the only base for timeouts, leases and idleness.
    [[nodiscard]] virtual SteadyTime steady_now() const noexcept = 0;
    /// Wall time in UTC, microseconds; may jump either way.
    [[nodiscard]] virtual SystemTime system_now() const noexcept = 0;
};

/// The machine's clocks. Stateless; lives for the whole program.
[[nodiscard]] const Clock& real_clock() noexcept;

/// A clock that stands still until it is moved. For tests. Thread-safe.
class ManualClock final : public Clock {
public:
    [[nodiscard]] SteadyTime steady_now() const noexcept override;
    [[nodiscard]] SystemTime system_now() const noexcept override;

    /// Moves both times forward by `by` (>= 0).
    void advance(std::chrono::nanoseconds by) noexcept;
    /// Moves only the wall time, either way, as an operator or NTP would.
    void jump_wall(std::chrono::microseconds by) noexcept;

private:
    std::atomic<std::int64_t> steady_ns_{1'000'000'000};
    std::atomic<std::int64_t> wall_us_{1'700'000'000'000'000};
};

}  // namespace sluice::core
