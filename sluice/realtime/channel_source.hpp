// Where a channel with a position comes from. Realtime declares the port; sluice/live implements it for projections.
//
//     class StockSource final : public realtime::ChannelSource { … };
//     hub.declare({.name = "projection", .policy = policy, .source = std::make_shared<StockSource>(…)});
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/core/ids.hpp"
#include "sluice/realtime/address.hpp"
#include "sluice/runtime/task.hpp"

namespace sluice::realtime {

/// The state of a channel at one position. Clients compare `epoch` for equality only; among themselves the epochs of
/// one channel rise, ordered by length and then byte by byte, as decimal counters do (`epoch_rises`).
struct Snapshot {
    std::string epoch;
    core::Version version;                          ///< at most 2^53 - 1
    std::shared_ptr<const std::string> state_json;  ///< one JSON value, shared by all who wait; null: no state yet
};

/// One change of a channel. Versions are dense within an epoch.
struct Frame {
    core::Version version;
    std::string event;         ///< empty: not named
    std::string data_json;     ///< one JSON value
    bool from_client = false;  ///< an event that a client made; never with a source
};

enum class SourceError : std::uint8_t {
    not_found,    ///< there is no such channel; answered exactly as a forbidden one
    gone,         ///< the range is no longer kept: members get a `reset` with the current state
    unavailable,  ///< try again
};

/// Whether `after` is a later epoch than `before`.
[[nodiscard]] constexpr bool epoch_rises(std::string_view before, std::string_view after) noexcept {
    return before.size() != after.size() ? before.size() < after.size() : before < after;
}

/// Called on the channel's home shard; may be called for many channels at once. Exceptions count as `unavailable` and
/// are logged. A call has `HubSettings::source_deadline` and is cancelled after it.
class ChannelSource {
public:
    virtual ~ChannelSource() = default;

    /// The current state, read on the primary: not older than any frame published before the call.
    virtual runtime::Task<std::expected<Snapshot, SourceError>> open(ChannelAddress address) = 0;

    /// The frames `after` < version <= `to` of `epoch`, all of them and in order, or why not.
    virtual runtime::Task<std::expected<std::vector<Frame>, SourceError>> range(ChannelAddress address,
                                                                                std::string epoch, core::Version after,
                                                                                core::Version to) = 0;
};

}  // namespace sluice::realtime
