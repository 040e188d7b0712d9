// Which lane a message belongs to. Persistent: the numbers in every ledger depend on it, so it never changes.
//
//     const core::LaneId lane = outbox::lane_of("article-7", id, 16);
#pragma once

#include <cstdint>
#include <string_view>

#include "sluice/core/ids.hpp"

namespace sluice::outbox {

/// FNV-1a over the key's bytes (64 bits), then MurmurHash3's 64-bit finaliser, because FNV-1a alone leaves the low bits
/// of similar keys alike and lanes are taken from the low bits.
[[nodiscard]] std::uint64_t lane_hash(std::string_view key) noexcept;

/// `lane_hash(key) mod lanes`; a message without a key goes to `id mod lanes`. `lanes` >= 1.
[[nodiscard]] core::LaneId lane_of(std::string_view key, std::int64_t id, std::uint16_t lanes) noexcept;

}  // namespace sluice::outbox
