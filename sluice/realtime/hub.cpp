#include "sluice/realtime/hub.hpp"

#include <algorithm>
#include <mutex>
#include <stdexcept>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "sluice/core/assert.hpp"
#include "sluice/net/stream.hpp"
#include "sluice/realtime/internal/hub_shard.hpp"
#include "sluice/realtime/internal/payload.hpp"
#include "sluice/realtime/protocol/encode.hpp"
#include "sluice/realtime/socket_transport.hpp"
#include "sluice/runtime/foreign.hpp"

namespace sluice::realtime {
namespace {

constexpr std::chrono::seconds kRetryAfter{5};

/// Frames of channels whose home had no room for them: how far each reaches, until the home has looked. Bounded by the
/// number of channels. Any thread.
class LostFrames {
public:
    /// True if the home has to be told that there is something.
    bool add(const ChannelAddress& channel, const std::string& epoch, core::Version version) {
        const std::scoped_lock lock(mutex_);
        const bool was_empty = lost_.empty();
        ChannelPosition& reach = lost_[channel];
        if (epoch_rises(reach.epoch, epoch)) reach = {epoch, {}};
        if (reach.epoch == epoch) reach.version = std::max(reach.version, version);
        return was_empty;
    }
    std::unordered_map<ChannelAddress, ChannelPosition> take() {
        const std::scoped_lock lock(mutex_);
        return std::exchange(lost_, {});
    }

private:
    std::mutex mutex_;
    std::unordered_map<ChannelAddress, ChannelPosition> lost_;
};

core::Version reach_of(const ChannelChange& change) {
    return change.kind == ChannelChange::Kind::frames ? change.frames.back().version : change.version;
}

/// Bad addresses of the program's own making are programming errors; namespaces that were not declared are reported.
void check_namespace(std::string_view name) {
    if (const auto probe = make_channel(tenant::TenantId::parse("x").value(), name, {"x"}); !probe)
        throw std::invalid_argument(fmt::format("namespace '{}': {}", name, to_string(probe.error())));
}

Writer::TenantFrames frames_for_tenant(const tenant::TenantId& tenant, std::string_view event,
                                       std::string_view data_json, SharedCounter counter) {
    std::string text;
    const auto for_channels = std::make_shared<EncodedFrames>();
    protocol::append_event(text, {{}, std::nullopt, event, data_json, false});
    for_channels->add(text);
    text.clear();
    const auto for_gateways = std::make_shared<EncodedFrames>();
    protocol::append_gateway_event(text, event, data_json);
    for_gateways->add(text);
    return {tenant, {for_channels, for_gateways}, std::move(counter)};
}

}  // namespace

struct Hub::State {
    State(runtime::ShardGroup& group, HubSettings settings, core::Logger log, core::Metrics& metrics_registry)
        : metrics(metrics_registry), lost(group.size()) {
        config.settings = settings;
        config.log = std::move(log);
        config.group = &group;
        config.run = fmt::to_string(group.at(0).clock().system_now().time_since_epoch().count());
        config.namespaces.emplace(kRoomNamespace, NamespaceConfig{.name = kRoomNamespace});
        for (std::uint32_t i = 0; i < group.size(); ++i)
            config.shards.push_back(std::make_unique<HubShard>(config, group.at(i), metrics));
    }

    [[nodiscard]] std::size_t index_of_home(std::uint64_t hash) const noexcept { return hash % config.shards.size(); }

    void note_lost(std::size_t home, const ChannelChange& change) {
        if (!lost[home].add(change.address, change.epoch, reach_of(change))) return;
        HubShard& shard = *config.shards[home];
        shard.shard().post([this, home, &shard] {
            for (const auto& [channel, reach] : lost[home].take())
                shard.homes().lost(channel, reach.epoch, reach.version);
        });
    }

    /// Hands changes to one home; `pick` names those of the batch.
    void to_home(std::size_t home, std::shared_ptr<const ChannelBatch> batch, std::vector<std::uint32_t> pick) {
        HubShard& shard = *config.shards[home];
        const auto apply = [](HubShard& at, const ChannelBatch& from, const std::vector<std::uint32_t>& picked) {
            for (const std::uint32_t i : picked)
                at.homes().publish(from.changes[i]);
        };
        if (shard.shard().is_current()) return apply(shard, *batch, pick);
        runtime::Message message = [&shard, apply, batch, pick] { apply(shard, *batch, pick); };
        if (shard.shard().try_post(message)) return;
        for (const std::uint32_t i : pick)
            note_lost(home, batch->changes[i]);
    }

    void publish_one(ChannelChange change) {
        auto batch = std::make_shared<ChannelBatch>();
        const std::size_t home = index_of_home(hash_of(change.address));
        batch->changes.push_back(std::move(change));
        to_home(home, std::move(batch), {0});
    }

    /// Null for an id that no shard of this hub gave out.
    [[nodiscard]] HubShard* owner_of(ConnectionId id) const noexcept {
        const std::uint32_t shard = shard_of(id);
        return shard < config.shards.size() ? config.shards[shard].get() : nullptr;
    }

    /// At once on the owner's shard, else by message.
    template <class Work>
    void on_owner(ConnectionId id, Work work) {
        HubShard* const shard = owner_of(id);
        if (shard == nullptr) return;
        if (shard->shard().is_current()) return work(*shard);
        shard->shard().post([shard, work = std::move(work)] { work(*shard); });
    }

    const NamespaceConfig& namespace_for_events(const ChannelAddress& channel) const {
        const NamespaceConfig* const found = config.find_namespace(channel.ns);
        if (found == nullptr)
            throw RealtimeError(ErrorKind::unknown_namespace,
                                fmt::format("namespace '{}' was not declared", channel.ns));
        if (found->history == History::source)
            throw RealtimeError(ErrorKind::bad_call,
                                fmt::format("frames of namespace '{}' come from its source", channel.ns));
        return *found;
    }

    Admission event(EventRequest request) {
        check_payload(request.event, request.data_json, namespace_for_events(request.channel).max_event_bytes);
        const std::uint64_t hash = hash_of(request.channel);
        HubShard& home = config.home_of(hash);
        if (home.shard().is_current()) {
            home.homes().event(request);
            return Admission::accepted;
        }
        runtime::Message message = [&home, request = std::move(request)] { home.homes().event(request); };
        return home.shard().try_post(message) ? Admission::accepted : Admission::overloaded;
    }

    /// To all shards by way of the tenant's home, so that two broadcasts reach everyone in one order.
    Admission tenant_event(Writer::TenantFrames frames) {
        HubShard& home = config.home_of(std::hash<tenant::TenantId>{}(frames.tenant));
        runtime::Message message = [this, frames = std::move(frames)]() mutable {
            for (const auto& shard : config.shards) {
                if (frames.counter) frames.counter->expect(1);
                shard->shard().post([&to = *shard, frames] { to.broadcast_tenant(frames); });
            }
            if (frames.counter) frames.counter->report(0);
        };
        return home.shard().try_post(message) ? Admission::accepted : Admission::overloaded;
    }

    /// Runs `work` on every shard and sums what it answers.
    runtime::Task<std::size_t> sum(std::function<std::size_t(HubShard&)> work) {
        auto ask = [this, work = std::move(work)](runtime::Answer<std::size_t> answer) {
            auto counter = std::make_shared<ReachCounter>(std::move(answer));
            counter->expect(static_cast<std::uint32_t>(config.shards.size()));
            for (const auto& shard : config.shards)
                shard->shard().post([&at = *shard, work, counter] { counter->report(work(at)); });
            counter->report(0);
        };
        co_return co_await runtime::await_foreign<std::size_t>(std::move(ask));
    }

    HubConfig config;
    HubMetrics metrics;
    std::vector<LostFrames> lost;  // per home
    bool started = false;
};

Hub::Hub(runtime::ShardGroup& shards, HubSettings settings, core::Logger log, core::Metrics& metrics)
    : state_(std::make_unique<State>(shards, settings, std::move(log), metrics)) {}

Hub::~Hub() = default;

void Hub::declare(NamespaceConfig config) {
    SLUICE_ASSERT(!state_->started, "namespace '{}' is declared after the hub has started", config.name);
    check_namespace(config.name);
    if ((config.history == History::source) != (config.source != nullptr))
        throw std::invalid_argument(fmt::format("namespace '{}': a source goes with History::source", config.name));
    std::string name = config.name;
    if (!state_->config.namespaces.emplace(name, std::move(config)).second)
        throw std::invalid_argument(fmt::format("namespace '{}' is declared twice", name));
}

void Hub::add_gateway(GatewayConfig config) {
    SLUICE_ASSERT(!state_->started, "gateway '{}' is added after the hub has started", config.path);
    std::string path = config.path;
    if (path.empty()) throw std::invalid_argument("a gateway needs a path");
    if (!state_->config.gateways.emplace(path, std::make_unique<const GatewayConfig>(std::move(config))).second)
        throw std::invalid_argument(fmt::format("two gateways on path '{}'", path));
}

void Hub::start() {
    SLUICE_ASSERT(!std::exchange(state_->started, true), "the hub was started twice");
    for (const auto& shard : state_->config.shards)
        shard->shard().post([&at = *shard] { at.start(); });
}

// Connections

ConnectionId Hub::adopt(net::Stream stream, std::string leftover, std::shared_ptr<const identity::Identity> who,
                        const Endpoint& endpoint) {
    return register_connection(std::make_unique<SocketTransport>(std::move(stream)), std::move(leftover),
                               std::move(who), endpoint);
}

ConnectionId Hub::register_connection(std::unique_ptr<Transport> transport, std::string leftover,
                                      std::shared_ptr<const identity::Identity> who, const Endpoint& endpoint) {
    const runtime::Shard* const shard = runtime::Shard::current();
    SLUICE_ASSERT(shard != nullptr, "a connection is registered on a shard");
    SLUICE_ASSERT(who != nullptr, "a connection has an identity");
    const GatewayConfig* gateway = nullptr;
    if (!endpoint.path().empty()) {
        const auto found = state_->config.gateways.find(endpoint.path());
        SLUICE_ASSERT(found != state_->config.gateways.end(), "there is no gateway on '{}'", endpoint.path());
        gateway = found->second.get();
    }
    return state_->config.shards[shard->index()]->open(std::move(transport), std::move(leftover), std::move(who),
                                                       gateway);
}

void Hub::unregister(ConnectionId id) {
    state_->on_owner(id, [id](HubShard& shard) { shard.unregister(id); });
}

void Hub::touch(ConnectionId id) {
    state_->on_owner(id, [id](HubShard& shard) { shard.touch(id); });
}

std::optional<std::chrono::seconds> Hub::busy() const noexcept {
    const HubConfig& config = state_->config;
    if (config.draining || config.connections >= config.settings.max_connections) return kRetryAfter;
    return std::nullopt;
}

std::size_t Hub::connection_count() const noexcept {
    return state_->config.connections;
}

runtime::Task<std::size_t> Hub::disconnect_subject(tenant::TenantId tenant, std::string subject) {
    const auto is_it = [tenant, subject](const identity::Identity& who) {
        return who.tenant == tenant && who.subject == subject;
    };
    return state_->sum([is_it](HubShard& shard) { return shard.disconnect(is_it); });
}

runtime::Task<std::size_t> Hub::disconnect_token(tenant::TenantId tenant, std::string token_id) {
    const auto is_it = [tenant, token_id](const identity::Identity& who) {
        return who.tenant == tenant && who.token_id == token_id;
    };
    return state_->sum([is_it](HubShard& shard) { return shard.disconnect(is_it); });
}

runtime::Task<std::vector<ConnectionId>> Hub::sweep_idle(std::chrono::milliseconds idle) {
    struct Found {
        std::mutex mutex;
        std::vector<ConnectionId> ids;
    };
    const auto found = std::make_shared<Found>();  // shared with the shards that add to it
    auto sweep = [found, idle](HubShard& shard) {
        const std::vector<ConnectionId> closed = shard.sweep_idle(idle);
        const std::scoped_lock lock(found->mutex);
        found->ids.insert(found->ids.end(), closed.begin(), closed.end());
        return closed.size();
    };
    co_await state_->sum(std::move(sweep));
    co_return std::move(found->ids);
}

runtime::Task<std::size_t> Hub::close_all() {
    return state_->sum([](HubShard& shard) { return shard.close_all(); });
}

// Rooms and events

void Hub::join_room(ConnectionId id, std::string room) {
    state_->on_owner(id, [id, room = std::move(room)](HubShard& shard) { shard.join_room(id, room); });
}

void Hub::leave_room(ConnectionId id, std::string room) {
    state_->on_owner(id, [id, room = std::move(room)](HubShard& shard) { shard.leave_room(id, room); });
}

ChannelAddress Hub::room(tenant::TenantId tenant, std::string_view name) {
    return {std::move(tenant), kRoomNamespace, escape_segment(name)};
}

SendOutcome Hub::send(ConnectionId id, std::string_view event, std::string_view data_json) {
    check_payload(event, data_json, state_->config.settings.max_event_bytes);
    HubShard* const shard = state_->owner_of(id);
    if (shard == nullptr) return {Admission::accepted, 0};
    if (shard->shard().is_current()) return {Admission::accepted, shard->send(id, event, data_json)};
    runtime::Message message = [shard, id, event = std::string(event), data = std::string(data_json)] {
        shard->send(id, event, data);
    };
    return {shard->shard().try_post(message) ? Admission::accepted : Admission::overloaded, std::nullopt};
}

runtime::Task<std::size_t> Hub::send_counted(ConnectionId id, std::string event, std::string data_json) {
    check_payload(event, data_json, state_->config.settings.max_event_bytes);
    return state_->sum([id, event, data_json](HubShard& shard) { return shard.send(id, event, data_json); });
}

SendOutcome Hub::broadcast_room(const ChannelAddress& channel, std::string_view event, std::string_view data_json) {
    return broadcast_except(channel, {}, event, data_json);
}

SendOutcome Hub::broadcast_except(const ChannelAddress& channel, ConnectionId except, std::string_view event,
                                  std::string_view data_json) {
    return {state_->event({channel, std::string(event), std::string(data_json), except, false, nullptr}), std::nullopt};
}

SendOutcome Hub::broadcast_tenant(const tenant::TenantId& tenant, std::string_view event, std::string_view data_json) {
    check_payload(event, data_json, state_->config.settings.max_event_bytes);
    return {state_->tenant_event(frames_for_tenant(tenant, event, data_json, nullptr)), std::nullopt};
}

runtime::Task<std::optional<std::size_t>> Hub::broadcast_room_counted(ChannelAddress channel, std::string event,
                                                                      std::string data_json) {
    check_payload(event, data_json, state_->namespace_for_events(channel).max_event_bytes);
    bool taken = false;
    auto ask = [&](runtime::Answer<std::size_t> answer) {
        const auto counter = std::make_shared<ReachCounter>(std::move(answer));
        taken = state_->event({channel, event, data_json, {}, false, counter}) == Admission::accepted;
        if (!taken) counter->report(0);
    };
    const std::size_t reached = co_await runtime::await_foreign<std::size_t>(std::move(ask));
    if (!taken) co_return std::nullopt;
    co_return reached;
}

runtime::Task<std::optional<std::size_t>> Hub::broadcast_tenant_counted(tenant::TenantId tenant, std::string event,
                                                                        std::string data_json) {
    check_payload(event, data_json, state_->config.settings.max_event_bytes);
    bool taken = false;
    auto ask = [&](runtime::Answer<std::size_t> answer) {
        const auto counter = std::make_shared<ReachCounter>(std::move(answer));
        taken = state_->tenant_event(frames_for_tenant(tenant, event, data_json, counter)) == Admission::accepted;
        if (!taken) counter->report(0);
    };
    const std::size_t reached = co_await runtime::await_foreign<std::size_t>(std::move(ask));
    if (!taken) co_return std::nullopt;
    co_return reached;
}

// Channels of a source

void Hub::publish(ChannelAddress channel, std::string epoch, std::vector<Frame> frames) {
    if (frames.empty()) return;
    state_->publish_one(
        {std::move(channel), ChannelChange::Kind::frames, std::move(epoch), {}, std::move(frames), nullptr});
}

void Hub::reset(ChannelAddress channel, Snapshot snapshot) {
    state_->publish_one({std::move(channel),
                         ChannelChange::Kind::reset,
                         std::move(snapshot.epoch),
                         snapshot.version,
                         {},
                         std::move(snapshot.state_json)});
}

void Hub::position(ChannelAddress channel, std::string epoch, core::Version version) {
    state_->publish_one({std::move(channel), ChannelChange::Kind::position, std::move(epoch), version, {}, nullptr});
}

void Hub::publish_batch(std::shared_ptr<const ChannelBatch> batch) {
    std::vector<std::vector<std::uint32_t>> picks(state_->config.shards.size());
    for (std::uint32_t i = 0; i < batch->changes.size(); ++i) {
        const ChannelChange& change = batch->changes[i];
        if (change.kind == ChannelChange::Kind::frames && change.frames.empty()) continue;
        picks[state_->index_of_home(hash_of(change.address))].push_back(i);
    }
    for (std::size_t home = 0; home < picks.size(); ++home)
        if (!picks[home].empty()) state_->to_home(home, batch, std::move(picks[home]));
}

// End

runtime::Task<void> Hub::drain(std::chrono::milliseconds window) {
    state_->config.draining = true;
    auto ask = [this, window](runtime::Answer<std::size_t> answer) {
        const auto counter = std::make_shared<ReachCounter>(std::move(answer));
        counter->expect(static_cast<std::uint32_t>(state_->config.shards.size()));
        for (const auto& shard : state_->config.shards)
            shard->shard().post(
                [&at = *shard, window, counter] { at.drain(window, [counter] { counter->report(0); }); });
        counter->report(0);
    };
    co_await runtime::await_foreign<std::size_t>(std::move(ask));
    // What shards have posted to each other before they were done is run before the hub may go.
    for (int round = 0; round < 2; ++round)
        co_await state_->sum([](HubShard&) { return std::size_t{0}; });
}

runtime::Task<void> Hub::tick() {
    co_await state_->sum([](HubShard& shard) {
        shard.on_tick();
        return std::size_t{0};
    });
}

runtime::Task<AccountingTotals> Hub::accounting() {
    struct Sums {
        std::mutex mutex;
        AccountingTotals totals;
    };
    const auto sums = std::make_shared<Sums>();  // shared with the shards that add to it
    auto add = [sums](HubShard& shard) {
        const Accounting& books = shard.state().accounting;
        const std::scoped_lock lock(sums->mutex);
        sums->totals.offered += books.offered();
        sums->totals.delivered += books.delivered();
        sums->totals.discarded += books.discarded();
        sums->totals.queued += books.queued();
        return std::size_t{0};
    };
    co_await state_->sum(std::move(add));
    co_return sums->totals;
}

}  // namespace sluice::realtime
