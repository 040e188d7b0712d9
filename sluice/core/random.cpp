#include "sluice/core/random.hpp"

#include <bit>

#include "sluice/core/assert.hpp"

namespace sluice::core {

Random::Random(std::uint64_t seed) noexcept {
    for (std::uint64_t& word : state_) {
        seed += 0x9E3779B97F4A7C15;
        std::uint64_t mixed = seed;
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
        word = mixed ^ (mixed >> 31);
    }
}

Random::result_type Random::operator()() noexcept {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
}

double Random::unit() noexcept {
    return static_cast<double>((*this)() >> 11) * 0x1.0p-53;
}

std::uint64_t Random::below(std::uint64_t bound) noexcept {
    SLUICE_ASSERT(bound >= 1, "nothing lies below {}", bound);
    // Values under the threshold would make the low remainders likelier (Lemire, 2018).
    const std::uint64_t threshold = (0 - bound) % bound;
    while (true) {
        const std::uint64_t value = (*this)();
        if (value >= threshold) return value % bound;
    }
}

}  // namespace sluice::core
