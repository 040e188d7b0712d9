// The homes of the channels that hash to this shard: drives their state machines, calls their sources, encodes their
// frames once and passes them to each shard that has members.
#pragma once

#include <cstdint>
#include <deque>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sluice/realtime/hub.hpp"
#include "sluice/realtime/internal/encoded.hpp"
#include "sluice/realtime/internal/hub_config.hpp"
#include "sluice/realtime/internal/shard_state.hpp"
#include "sluice/realtime/internal/source_calls.hpp"
#include "sluice/realtime/protocol/commands.hpp"

namespace sluice::realtime {

class ChannelEntry;

/// What a shard asks a home when one of its connections subscribes.
struct SubscribeRequest {
    ChannelAddress channel;
    std::uint32_t shard = 0;
    ConnectionId connection;
    std::uint32_t token = 0;
    std::optional<protocol::Position> from;
};

/// An event for a channel that the hub numbers itself.
struct EventRequest {
    ChannelAddress channel;
    std::string event;
    std::string data_json;
    ConnectionId except{};
    bool from_client = false;
    SharedCounter counter;
};

class HomeTable {
public:
    HomeTable(HubConfig& config, HubShard& shard, ShardState& state);
    ~HomeTable();
    HomeTable(const HomeTable&) = delete;
    HomeTable& operator=(const HomeTable&) = delete;

    void subscribe(const SubscribeRequest& request);
    /// A shard has members of a room without having asked.
    void join(const RoomKey& room, std::uint32_t shard);
    /// A shard's room is empty; `grant` is the latest answer it had seen.
    void leave(const RoomKey& room, std::uint32_t shard, std::uint64_t grant);

    void publish(const ChannelChange& change);
    void lost(const ChannelAddress& channel, const std::string& epoch, core::Version version);
    void event(const EventRequest& request);

    void on_opened(const ChannelAddress& channel, std::expected<Snapshot, SourceError> answer);
    void on_range(const ChannelAddress& channel, std::expected<std::vector<Frame>, SourceError> answer);

    void on_tick();
    /// Ends every call of a source.
    void stop() { calls_.stop(); }
    [[nodiscard]] bool stopped() { return calls_.idle(); }

    [[nodiscard]] std::size_t channels() const noexcept { return entries_.size(); }

private:
    friend class ChannelEntry;
    ChannelEntry* find(const ChannelAddress& channel);
    ChannelEntry& obtain(const ChannelAddress& channel, const NamespaceConfig& config);
    void settle(ChannelEntry& entry);
    void erase(ChannelEntry& entry);
    void free_idle();
    void retry_due();
    void catch_up_lagging();

    HubConfig& config_;
    HubShard& shard_;
    ShardState& state_;
    SourceCalls calls_;
    std::unordered_map<ChannelAddress, std::unique_ptr<ChannelEntry>> entries_;
    std::deque<std::pair<Tick, ChannelAddress>> idle_;  // oldest first
    std::vector<std::pair<Tick, ChannelAddress>> retries_;
    std::vector<ChannelAddress> lagging_;  // with a shard whose inbox was full
    std::size_t ring_bytes_ = 0;
    std::uint64_t next_grant_ = 1;
    std::uint64_t next_incarnation_ = 1;
};

}  // namespace sluice::realtime
