#include "sluice/realtime/internal/home_table.hpp"

#include <algorithm>
#include <utility>

#include "sluice/realtime/internal/channel_entry.hpp"
#include "sluice/realtime/internal/hub_shard.hpp"

namespace sluice::realtime {

HomeTable::HomeTable(HubConfig& config, HubShard& shard, ShardState& state)
    : config_(config),
      shard_(shard),
      state_(state),
      calls_(shard.shard(), config.log, config.settings.source_calls, state.ticks(config.settings.source_deadline)) {}

HomeTable::~HomeTable() = default;

ChannelEntry* HomeTable::find(const ChannelAddress& channel) {
    const auto found = entries_.find(channel);
    return found == entries_.end() ? nullptr : found->second.get();
}

ChannelEntry& HomeTable::obtain(const ChannelAddress& channel, const NamespaceConfig& config) {
    std::unique_ptr<ChannelEntry>& entry = entries_[channel];
    if (!entry) entry = std::make_unique<ChannelEntry>(*this, channel, config);
    return *entry;
}

void HomeTable::subscribe(const SubscribeRequest& request) {
    ChannelEntry& entry = obtain(request.channel, *config_.find_namespace(request.channel.ns));
    entry.subscribe(request);
    settle(entry);
}

void HomeTable::join(const RoomKey& room, std::uint32_t shard) {
    ChannelEntry& entry = obtain(room.channel, *config_.find_namespace(room.channel.ns));
    entry.join(room.encoding, shard);
    settle(entry);
}

void HomeTable::leave(const RoomKey& room, std::uint32_t shard, std::uint64_t grant) {
    ChannelEntry* const entry = find(room.channel);
    if (entry == nullptr) return;
    entry->leave(room.encoding, shard, grant);
    settle(*entry);
}

void HomeTable::publish(const ChannelChange& change) {
    ChannelEntry* const entry = find(change.address);
    if (entry == nullptr) return;  // nobody watches: whoever comes next starts from the state
    entry->publish(change, shard_.now());
    settle(*entry);
}

void HomeTable::lost(const ChannelAddress& channel, const std::string& epoch, core::Version version) {
    ChannelEntry* const entry = find(channel);
    if (entry == nullptr) return;
    entry->lost(epoch, version, shard_.now());
    settle(*entry);
}

void HomeTable::event(const EventRequest& request) {
    const NamespaceConfig& config = *config_.find_namespace(request.channel.ns);
    ChannelEntry* entry = find(request.channel);
    if (entry == nullptr && config.history == History::memory) entry = &obtain(request.channel, config);
    if (entry != nullptr) {
        entry->event(request, shard_.now());
        settle(*entry);
    }
    if (request.counter) request.counter->report(0);  // the home's own part
}

void HomeTable::on_opened(const ChannelAddress& channel, std::expected<Snapshot, SourceError> answer) {
    ChannelEntry* const entry = find(channel);
    if (entry == nullptr) return;
    entry->on_opened(std::move(answer), shard_.now());
    settle(*entry);
}

void HomeTable::on_range(const ChannelAddress& channel, std::expected<std::vector<Frame>, SourceError> answer) {
    ChannelEntry* const entry = find(channel);
    if (entry == nullptr) return;
    entry->on_range(std::move(answer), shard_.now());
    settle(*entry);
}

/// After every input of an entry: books its ring and notes whether anyone needs it.
void HomeTable::settle(ChannelEntry& entry) {
    ring_bytes_ += entry.ring_bytes() - std::exchange(entry.counted_ring_bytes, entry.ring_bytes());
    if (ring_bytes_ > config_.settings.node_ring_bytes / config_.shards.size()) free_idle();
    if (ring_bytes_ > config_.settings.node_ring_bytes / config_.shards.size()) {
        entry.forget_ring();
        ring_bytes_ -= std::exchange(entry.counted_ring_bytes, 0);
    }
    if (!entry.idle()) {
        entry.idle_since = 0;
    } else if (entry.config().history == History::none) {
        erase(entry);
    } else if (entry.idle_since == 0) {
        entry.idle_since = state_.tick;
        idle_.emplace_back(state_.tick, entry.channel());
    }
}

void HomeTable::erase(ChannelEntry& entry) {
    ring_bytes_ -= entry.counted_ring_bytes;
    const ChannelAddress channel = entry.channel();
    entries_.erase(channel);
}

/// Over the budget of rings: the channel that has been without members for longest goes.
void HomeTable::free_idle() {
    if (idle_.empty()) return;
    const auto [since, channel] = std::move(idle_.front());
    idle_.pop_front();
    ChannelEntry* const entry = find(channel);
    if (entry == nullptr || entry->idle_since != since) return;
    entry->forget_ring();
    ring_bytes_ -= std::exchange(entry->counted_ring_bytes, 0);
    idle_.emplace_back(since, channel);
}

void HomeTable::on_tick() {
    calls_.on_tick(state_.tick);
    retry_due();
    catch_up_lagging();
    const Tick linger = state_.ticks(config_.settings.ring_linger);
    for (std::size_t looked = idle_.size(); looked > 0 && state_.tick - idle_.front().first >= linger; --looked) {
        auto [since, channel] = std::move(idle_.front());
        idle_.pop_front();
        ChannelEntry* const entry = find(channel);
        if (entry == nullptr || entry->idle_since != since) continue;
        if (entry->worth_keeping(shard_.now())) {
            entry->idle_since = state_.tick;
            idle_.emplace_back(state_.tick, std::move(channel));
        } else {
            erase(*entry);
        }
    }
}

void HomeTable::retry_due() {
    std::vector<ChannelAddress> due;
    std::erase_if(retries_, [&](auto& retry) {
        if (retry.first > state_.tick) return false;
        due.push_back(std::move(retry.second));
        return true;
    });
    for (const ChannelAddress& channel : due) {
        ChannelEntry* const entry = find(channel);
        if (entry == nullptr) continue;
        entry->on_retry(shard_.now());
        settle(*entry);
    }
}

void HomeTable::catch_up_lagging() {
    std::erase_if(lagging_, [this](const ChannelAddress& channel) {
        ChannelEntry* const entry = find(channel);
        return entry == nullptr || entry->catch_up_lagging();
    });
}

}  // namespace sluice::realtime
