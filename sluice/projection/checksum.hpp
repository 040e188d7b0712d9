// The checksum that stands beside every stored state: FNV-1a, 64 bits, over the state's canonical bytes.
//
//     checksum("") == 0xcbf29ce484222325      checksum("foobar") == 0x85944171f73967e8
//
// It finds bytes that rotted or were edited by hand and lets two generations be compared without their states; it is no
// protection against an adversary. Stored as the signed 64-bit integer of the same bits.
#pragma once

#include <cstdint>
#include <string_view>

namespace sluice::projection {

[[nodiscard]] constexpr std::uint64_t checksum(std::string_view canonical) noexcept {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char c : canonical) {
        hash ^= static_cast<unsigned char>(c);
        hash *= 0x00000100000001b3;
    }
    return hash;
}

}  // namespace sluice::projection
