#include "sluice/outbox/lane_hash.hpp"

#include "sluice/core/mutant.hpp"

namespace sluice::outbox {

std::uint64_t lane_hash(std::string_view key) noexcept {
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const char c : key) {
        hash ^= static_cast<unsigned char>(c);
        hash *= 0x100000001b3U;
    }
    hash ^= hash >> 33U;
    hash *= 0xff51afd7ed558ccdU;
    hash ^= hash >> 33U;
    hash *= 0xc4ceb9fe1a85ec53U;
    hash ^= hash >> 33U;
    return hash;
}

core::LaneId lane_of(std::string_view key, std::int64_t id, std::uint16_t lanes) noexcept {
    const bool by_id = key.empty() || core::mutant("outbox_lane_ignores_key");
    const std::uint64_t spread = by_id ? static_cast<std::uint64_t>(id) : lane_hash(key);
    return core::LaneId(static_cast<std::uint16_t>(spread % lanes));
}

}  // namespace sluice::outbox
