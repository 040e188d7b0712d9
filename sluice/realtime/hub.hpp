// The hub: connections, rooms and channels of one process, spread over its shards. Publishing never waits for a reader.
//
//     realtime::Hub hub(shards, {}, log, metrics);
//     hub.declare({.name = "projection", .policy = policy, .history = realtime::History::source, .source = source});
//     hub.start();
//     hub.adopt(std::move(stream), std::move(leftover), who, realtime::Endpoint::channels());   // on the stream's
//     shard hub.publish(address, epoch, std::move(frames));                                         // from any thread
//     co_await hub.drain(10s);
//
// docs/realtime.md explains the model, docs/protocol.md what goes over the wire.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/core/log.hpp"
#include "sluice/core/metrics.hpp"
#include "sluice/identity/identity.hpp"
#include "sluice/realtime/address.hpp"
#include "sluice/realtime/channel_source.hpp"
#include "sluice/realtime/error.hpp"
#include "sluice/realtime/gateway.hpp"
#include "sluice/realtime/ids.hpp"
#include "sluice/realtime/namespace_config.hpp"
#include "sluice/realtime/settings.hpp"
#include "sluice/realtime/transport.hpp"
#include "sluice/runtime/shard.hpp"

namespace sluice::net {
class Stream;
}

namespace sluice::realtime {

/// What one commit did to one channel of a source.
struct ChannelChange {
    enum class Kind : std::uint8_t {
        frames,    ///< consecutive versions of `epoch`
        reset,     ///< the state was replaced by `state_json` at (`epoch`, `version`)
        position,  ///< the same state has a new position (`epoch`, `version`)
    };
    ChannelAddress address;
    Kind kind = Kind::frames;
    std::string epoch;
    core::Version version;                          ///< with reset and position
    std::vector<Frame> frames;                      ///< with frames
    std::shared_ptr<const std::string> state_json;  ///< with reset
};

/// Changes of many channels that travel together: one message per home shard.
struct ChannelBatch {
    std::vector<ChannelChange> changes;
};

/// Answer of a plain send.
struct SendOutcome {
    Admission admission = Admission::accepted;
    std::optional<std::size_t> reached;  ///< known at once only for a connection of the calling shard
};

/// What an adopted connection speaks: `sluice.v1` or a gateway's events.
class Endpoint {
public:
    [[nodiscard]] static Endpoint channels() { return Endpoint({}); }
    /// `path` of a gateway that was added.
    [[nodiscard]] static Endpoint gateway(std::string path) { return Endpoint(std::move(path)); }
    /// Empty for channels.
    [[nodiscard]] const std::string& path() const noexcept { return path_; }

private:
    explicit Endpoint(std::string path) : path_(std::move(path)) {}
    std::string path_;
};

/// Where every frame offered to a member went: offered = delivered + conflated + dropped + discarded + queued, exactly.
struct AccountingTotals {
    std::uint64_t offered = 0;
    std::uint64_t delivered = 0;  ///< handed whole to the kernel
    std::uint64_t conflated = 0;
    std::uint64_t dropped = 0;
    std::uint64_t discarded = 0;  ///< its connection ended first
    std::uint64_t queued = 0;
};

/// Declared, started, drained and destroyed by its owner. Calls from any thread unless said otherwise. Events and data
/// are checked before anything is sent: RealtimeError(bad_payload) names what is wrong, unknown_namespace and bad_call
/// too.
class Hub {
public:
    Hub(runtime::ShardGroup& shards, HubSettings settings, core::Logger log, core::Metrics& metrics);
    /// After `drain`, or after the shards have stopped.
    ~Hub();
    Hub(const Hub&) = delete;
    Hub& operator=(const Hub&) = delete;

    /// Before `start`. Throws std::invalid_argument for a bad or second name, or a source without History::source.
    void declare(NamespaceConfig config);
    /// Before `start`. Throws std::invalid_argument for a second gateway on a path.
    void add_gateway(GatewayConfig config);
    /// Before or after the shards run. Once.
    void start();

    // Connections

    /// Takes over an upgraded socket (the 101 is sent) on its shard; `leftover` is what came behind the handshake.
    ConnectionId adopt(net::Stream stream, std::string leftover, std::shared_ptr<const identity::Identity> who,
                       const Endpoint& endpoint);
    /// The same for any transport; on the shard that will own it.
    ConnectionId register_connection(std::unique_ptr<Transport> transport, std::string leftover,
                                     std::shared_ptr<const identity::Identity> who, const Endpoint& endpoint);
    /// Ends it at once, without a close frame. A gone id is a no-op.
    void unregister(ConnectionId id);
    /// Records life.
    void touch(ConnectionId id);
    /// Why an upgrade has to be refused now (503, Retry-After in seconds), or nothing. Ask before the 101.
    [[nodiscard]] std::optional<std::chrono::seconds> busy() const noexcept;
    [[nodiscard]] std::size_t connection_count() const noexcept;

    /// Closes with 4201 every connection of `tenant` with that subject, or that token. Answers how many.
    runtime::Task<std::size_t> disconnect_subject(tenant::TenantId tenant, std::string subject);
    runtime::Task<std::size_t> disconnect_token(tenant::TenantId tenant, std::string token_id);
    /// Closes with 4102 everyone silent for `idle`; answers the ids it closed.
    runtime::Task<std::vector<ConnectionId>> sweep_idle(std::chrono::milliseconds idle);
    /// Closes everyone with 1001, full queues or not; answers how many were told.
    runtime::Task<std::size_t> close_all();

    // Rooms, and channels that the hub numbers itself

    /// The connection's tenant owns the room. A gone id is a no-op. Takes effect at once on the connection's shard.
    void join_room(ConnectionId id, std::string room);
    void leave_room(ConnectionId id, std::string room);
    /// The address of a room, for the broadcasts.
    [[nodiscard]] static ChannelAddress room(tenant::TenantId tenant, std::string_view name);

    SendOutcome send(ConnectionId id, std::string_view event, std::string_view data_json);
    /// To every member of a room or of a channel with history none or memory.
    SendOutcome broadcast_room(const ChannelAddress& channel, std::string_view event, std::string_view data_json);
    SendOutcome broadcast_except(const ChannelAddress& channel, ConnectionId except, std::string_view event,
                                 std::string_view data_json);
    /// To every connection of the tenant. Nothing reaches several tenants.
    SendOutcome broadcast_tenant(const tenant::TenantId& tenant, std::string_view event, std::string_view data_json);

    /// The same, and how many members on all shards were reached; nothing if overloaded. Await on any shard.
    runtime::Task<std::optional<std::size_t>> broadcast_room_counted(ChannelAddress channel, std::string event,
                                                                     std::string data_json);
    runtime::Task<std::optional<std::size_t>> broadcast_tenant_counted(tenant::TenantId tenant, std::string event,
                                                                       std::string data_json);
    runtime::Task<std::size_t> send_counted(ConnectionId id, std::string event, std::string data_json);

    // Channels of a source: never wait, never fail; what does not fit is fetched from the source later

    void publish(ChannelAddress channel, std::string epoch, std::vector<Frame> frames);
    void publish_batch(std::shared_ptr<const ChannelBatch> batch);
    void reset(ChannelAddress channel, Snapshot snapshot);
    /// After everything that was published of the epoch before it: it renames where members stand.
    void position(ChannelAddress channel, std::string epoch, core::Version version);

    // End

    /// Refuses new connections, closes all with 4101 spread over half of `window`, resets what remains at its end, then
    /// joins every task. Await on any shard; once.
    runtime::Task<void> drain(std::chrono::milliseconds window);

    /// Sums over all shards.
    runtime::Task<AccountingTotals> accounting();
    /// Brings every shard's timers up to its clock at once instead of within a tick: for tests with a clock of their
    /// own.
    runtime::Task<void> tick();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace sluice::realtime
