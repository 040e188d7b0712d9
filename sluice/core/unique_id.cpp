#include "sluice/core/unique_id.hpp"

#include <array>
#include <cerrno>

#include <sys/random.h>

#include "sluice/core/assert.hpp"

namespace sluice::core {

void fill_random(std::span<std::byte> into) {
    while (!into.empty()) {
        const ssize_t got = ::getrandom(into.data(), into.size(), 0);
        if (got < 0 && errno == EINTR) continue;
        SLUICE_ASSERT(got > 0, "getrandom failed with errno {}", errno);
        into = into.subspan(static_cast<std::size_t>(got));
    }
}

std::string unique_id() {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::array<std::byte, 16> bytes;
    fill_random(bytes);
    std::string text;
    text.reserve(2 * bytes.size());
    for (const std::byte byte : bytes) {
        text += kDigits[std::to_integer<unsigned>(byte >> 4)];
        text += kDigits[std::to_integer<unsigned>(byte & std::byte{15})];
    }
    return text;
}

std::uint64_t random_seed() {
    std::uint64_t seed = 0;
    fill_random(std::as_writable_bytes(std::span(&seed, 1)));
    return seed;
}

}  // namespace sluice::core
