// The numbers that more than one module speaks of. Each is dense or monotonic as its line says.
#pragma once

#include <cstdint>

#include "sluice/core/strong.hpp"

namespace sluice::core {

/// Partition of a queue, from 0.
using LaneId = Strong<struct LaneIdTag, std::uint16_t>;
/// Gap-free number of a message within its lane, from 1; 0 means "before the first".
using Sequence = Strong<struct SequenceTag, std::int64_t>;
/// Gap-free number of a message over its whole database, in ledger order, from 1; 0 means "before the first".
using Position = Strong<struct PositionTag, std::int64_t>;
/// Row id of a message, unique in its database, rising but with gaps.
using MessageId = Strong<struct MessageIdTag, std::int64_t>;
/// Generation of a numbering; only rises. Within one epoch versions and sequences are dense.
using Epoch = Strong<struct EpochTag, std::int64_t>;
/// Number of changes folded into one key within an epoch, from 1; 0 means "never written". At most 2^53-1, because
/// browsers read it as a JavaScript number.
using Version = Strong<struct VersionTag, std::int64_t>;

inline constexpr std::int64_t kLargestVersion = (std::int64_t{1} << 53) - 1;

}  // namespace sluice::core
