// A small seedable generator, passed as a dependency so that a test replays what happened.
//
//     core::Random random(seed);
//     const auto delay = backoff.delay(attempt, random.unit());
#pragma once

#include <array>
#include <cstdint>
#include <limits>

namespace sluice::core {

/// xoshiro256** (Blackman and Vigna, 2018), seeded by splitmix64. Not for secrets: see unique_id.hpp. Not thread-safe.
/// A standard uniform random bit generator.
class Random {
public:
    using result_type = std::uint64_t;

    explicit Random(std::uint64_t seed) noexcept;

    [[nodiscard]] static constexpr result_type min() noexcept { return 0; }
    [[nodiscard]] static constexpr result_type max() noexcept { return std::numeric_limits<result_type>::max(); }

    result_type operator()() noexcept;
    /// Uniform in [0, 1).
    double unit() noexcept;
    /// Uniform in [0, bound); `bound` >= 1.
    std::uint64_t below(std::uint64_t bound) noexcept;

private:
    std::array<std::uint64_t, 4> state_;
};

}  // namespace sluice::core
