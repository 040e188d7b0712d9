// From folded keys to what a DeltaSink is told. Pure.
#pragma once

#include <span>
#include <vector>

#include "sluice/projection/delta_sink.hpp"
#include "sluice/projection/fold.hpp"

namespace sluice::projection::internal {

/// One change per key. `epoch` is the generation's; a key with a later one of its own keeps that. `is_reset`: the epoch
/// rose with this batch, so deltas mean nothing to whoever stood in the one before. Moves the deltas out of `keys`.
[[nodiscard]] std::vector<KeyChange> changes_of(const Definition& definition, std::span<KeyFold> keys,
                                                core::Epoch epoch, bool is_reset);

/// The key's whole state in a new epoch. An empty `state` stands for State{}.
[[nodiscard]] KeyChange reset_of(const Definition& definition, std::string key, core::Epoch epoch,
                                 core::Version version, std::string state);

}  // namespace sluice::projection::internal
