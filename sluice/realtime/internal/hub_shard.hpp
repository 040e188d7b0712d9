// The hub's part on one shard: its connections, the members it has of every channel, its timers and its writes. All
// calls on the shard unless said otherwise.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/steady_timer.hpp>

#include "sluice/core/random.hpp"
#include "sluice/realtime/hub.hpp"
#include "sluice/realtime/internal/channel_entry.hpp"
#include "sluice/realtime/internal/connection.hpp"
#include "sluice/realtime/internal/connection_table.hpp"
#include "sluice/realtime/internal/home_table.hpp"
#include "sluice/realtime/internal/hub_config.hpp"
#include "sluice/realtime/internal/hub_metrics.hpp"
#include "sluice/realtime/internal/rooms.hpp"
#include "sluice/realtime/internal/shard_state.hpp"
#include "sluice/realtime/internal/timer_wheel.hpp"
#include "sluice/realtime/internal/writer.hpp"
#include "sluice/runtime/scope.hpp"

namespace sluice::realtime {

/// How a connection is closed by the server.
struct Closing {
    ws::CloseCode code;
    std::string_view reason;
    EndReason end;
    bool say_bye = true;     ///< sluice.v1: a `bye` before the close frame
    bool keep_queue = true;  ///< what waits is sent first; else only the frame that has begun
    std::chrono::milliseconds reconnect_after{0};
};

/// Whether a full inbox may turn a message away; what has to arrive is bounded by something else.
enum class Refusable : std::uint8_t { yes, no };

class HubShard final : public TransportEvents, private WriterEvents {
public:
    HubShard(HubConfig& config, runtime::Shard& shard, const HubMetrics& metrics);
    ~HubShard();
    HubShard(const HubShard&) = delete;
    HubShard& operator=(const HubShard&) = delete;

    void start();

    // Connections
    ConnectionId open(std::unique_ptr<Transport> transport, std::string leftover,
                      std::shared_ptr<const identity::Identity> who, const GatewayConfig* gateway);
    void close(Connection& connection, const Closing& closing);
    /// Without a close frame; frees it at the end of the turn.
    void end(Connection& connection, EndReason reason);
    void unregister(ConnectionId id);
    void touch(ConnectionId id);
    /// Answers how many were told.
    std::size_t close_all();
    std::size_t disconnect(const std::function<bool(const identity::Identity&)>& whom);
    std::vector<ConnectionId> sweep_idle(std::chrono::milliseconds idle);

    // Rooms
    bool join_room(ConnectionId id, std::string_view room);
    bool leave_room(ConnectionId id, std::string_view room);
    std::size_t send(ConnectionId id, std::string_view event, std::string_view data_json);
    std::size_t send_message(ConnectionId id, ws::Opcode opcode, std::string_view payload);
    void broadcast_tenant(Writer::TenantFrames frames) { writer_.broadcast(std::move(frames)); }

    // From homes
    void deliver(const RoomKey& key, const Delivery& delivery);
    void answer(const AnswerMessage& message);
    void refuse(const RefusalMessage& message);
    void lose_members(const RoomKey& key);

    // For the sessions of connections
    /// The one answer to a command in flight.
    void reply(Connection& connection, std::string_view text);
    /// A message that answers nothing.
    void say(Connection& connection, std::string_view text);
    void send_control(Connection& connection, ws::Opcode opcode, std::string_view payload);
    void subscribe(Connection& connection, PendingSubscribe pending, std::optional<protocol::Position> from);
    /// Answers a subscription that has not been answered yet, with an error.
    void cancel_pending(Connection& connection, const ChannelAddress& channel);
    bool leave(Connection& connection, const ChannelAddress& channel);
    /// A command that needs no answer is done.
    void finish_command(Connection& connection, std::uint32_t commands);
    void run_handler(Connection& connection, const EventHandler& handler, std::string data_json);
    [[nodiscard]] bool may_take_commands(const Connection& connection) const noexcept;

    // TransportEvents
    void on_readable(ConnectionId id) override;
    void on_writable(ConnectionId id) override;

    /// Moves the tick to the clock's time; done by a timer, in tests by hand.
    void on_tick();
    /// Refuses nothing, closes everyone over `window`, and calls `done` when nothing is left.
    void drain(std::chrono::milliseconds window, runtime::Message done);
    /// Does `work` at the home of `hash`: at once if that is this shard, else by message. False: its inbox is full.
    bool at_home(std::uint64_t hash, std::move_only_function<void(HubShard&)> work,
                 Refusable refusable = Refusable::yes);

    [[nodiscard]] Connection* find_open(ConnectionId id) const noexcept { return table_.find_open(id); }
    [[nodiscard]] runtime::Shard& shard() noexcept { return shard_; }
    [[nodiscard]] std::uint32_t index() const noexcept { return shard_.index(); }
    [[nodiscard]] core::SteadyTime now() const noexcept { return shard_.clock().steady_now(); }
    [[nodiscard]] HubConfig& config() noexcept { return config_; }
    [[nodiscard]] ShardState& state() noexcept { return state_; }
    [[nodiscard]] HomeTable& homes() noexcept { return homes_; }
    [[nodiscard]] const ConnectionTable& table() const noexcept { return table_; }
    [[nodiscard]] Rooms& rooms() noexcept { return rooms_; }

private:
    // WriterEvents
    void on_write_failed(Connection& connection) override { end(connection, EndReason::client); }
    void on_too_slow(Connection& connection) override;
    void on_replies_sent(Connection& connection, std::uint32_t replies) override {
        finish_command(connection, replies);
    }
    void on_drained(Connection& connection) override;

    void on_turn_end();
    void free_ended();
    void resume_paused();
    void arm_timer();
    void visit(ConnectionId id);
    void visit_open(Connection& connection);
    void bound_queues();
    void schedule(Connection& connection, Tick due) { wheel_.schedule(connection.id, due); }
    void read(Connection& connection);
    bool take(Connection& connection, std::span<std::byte> bytes);
    void wait_readable(Connection& connection);
    void read_to_the_end(Connection& connection);
    void withdraw(Connection& connection, bool keep_pending);
    void drain_due();
    void check_drained();
    std::optional<PendingSubscribe> take_pending(Connection& connection, std::uint32_t token);
    void report_gone(const LocalRoom& room);
    Slice append_text(std::string_view text);
    void reply_state(Connection& connection, const AnswerMessage& message, std::string_view id);

    HubConfig& config_;
    runtime::Shard& shard_;
    HubMetrics metrics_;
    ShardState state_;
    ConnectionTable table_;
    Rooms rooms_;
    Writer writer_;
    HomeTable homes_;
    TimerWheel<ConnectionId> wheel_;
    runtime::TaskScope handlers_;
    boost::asio::basic_waitable_timer<std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>,
                                      runtime::Executor>
        timer_;
    core::SteadyTime started_;
    std::vector<std::byte> read_buffer_;
    std::vector<ConnectionId> ended_;
    std::vector<ConnectionId> resuming_;
    std::uint64_t flusher_ = 0;
    HubMetrics::Shown shown_;

    core::Random random_;
    std::size_t open_ = 0;
    bool draining_ = false;
    runtime::Message drained_;
    std::vector<std::pair<Tick, ConnectionId>> drain_order_;  // latest first
    Tick drain_deadline_ = 0;
};

}  // namespace sluice::realtime
