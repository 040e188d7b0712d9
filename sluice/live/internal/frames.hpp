// From what projections say to what channels show. Pure.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/core/ids.hpp"
#include "sluice/projection/delta_sink.hpp"
#include "sluice/projection/reading.hpp"
#include "sluice/realtime/address.hpp"
#include "sluice/realtime/channel_source.hpp"
#include "sluice/realtime/hub.hpp"
#include "sluice/tenant/tenant_id.hpp"

namespace sluice::live::internal {

/// What the name of a channel `projection/<projection>/<key>` says.
struct ChannelName {
    std::string projection;
    std::string key;
};

/// Nothing unless the name has two segments, a projection's name and a key.
[[nodiscard]] std::optional<ChannelName> parse_name(const realtime::ChannelAddress& address);

/// Epochs travel as decimal text, so that a later one is longer or greater (`realtime::epoch_rises`).
[[nodiscard]] std::string to_text(core::Epoch epoch);
[[nodiscard]] std::optional<core::Epoch> parse_epoch(std::string_view text);

[[nodiscard]] realtime::Snapshot to_snapshot(projection::RawState raw);
[[nodiscard]] std::vector<realtime::Frame> to_frames(const std::string& event_name,
                                                     std::vector<projection::RawDelta> deltas);
/// A key that no channel can name (longer than a segment may be) is left out: nobody can watch it.
[[nodiscard]] std::shared_ptr<const realtime::ChannelBatch> to_channels(const tenant::TenantId& tenant,
                                                                        const projection::DeltaBatch& batch);

}  // namespace sluice::live::internal
