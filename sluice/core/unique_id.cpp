#include "sluice/core/unique_id.hpp"

#include <algorithm>
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

namespace {

/// Random bytes in hand, so that a system call serves 32 ids.
class Reserve {
public:
    void take(std::span<std::byte> into) {
        if (left_ < into.size()) {
            fill_random(bytes_);
            left_ = bytes_.size();
        }
        left_ -= into.size();
        std::ranges::copy(std::span(bytes_).subspan(left_, into.size()), into.begin());
    }

private:
    std::array<std::byte, 512> bytes_;
    std::size_t left_ = 0;
};

}  // namespace

std::string unique_id() {
    static constexpr char kDigits[] = "0123456789abcdef";
    static thread_local Reserve reserve;
    std::array<std::byte, 16> bytes;
    reserve.take(bytes);
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
