#include "sluice/realtime/internal/hub_shard.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <boost/asio/post.hpp>

#include "sluice/core/unique_id.hpp"
#include "sluice/realtime/protocol/encode.hpp"

namespace sluice::realtime {
namespace {

constexpr std::uint64_t kLeastReconnectMs = 250;
constexpr std::uint64_t kReconnectSpreadMs = 4'000;

}  // namespace

HubShard::HubShard(HubConfig& config, runtime::Shard& shard, const HubMetrics& metrics)
    : config_(config),
      shard_(shard),
      metrics_(metrics),
      state_(config.settings),
      table_(shard.index()),
      rooms_(state_),
      writer_(state_, table_, rooms_, *this, *this),
      homes_(config, *this, state_),
      wheel_(state_.tick),
      handlers_(shard, config.log),
      timer_(shard.executor()),
      started_(now()),
      read_buffer_(config.settings.read_buffer_bytes),
      random_(core::random_seed()) {}

HubShard::~HubShard() = default;

void HubShard::start() {
    flusher_ = shard_.add_flusher([this] { on_turn_end(); });
    arm_timer();
}

void HubShard::arm_timer() {
    timer_.expires_after(config_.settings.tick);
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (error) return;
        on_tick();
        arm_timer();
    });
}

// Connections

ConnectionId HubShard::open(std::unique_ptr<Transport> transport, std::string leftover,
                            std::shared_ptr<const identity::Identity> who, const GatewayConfig* gateway) {
    Connection& connection = table_.add();
    const ConnectionId id = connection.id;
    connection.transport = std::move(transport);
    connection.who = std::move(who);
    connection.gateway = gateway;
    connection.last_life = state_.tick;
    connection.rate_tick = state_.tick;
    connection.rate_tokens = config_.settings.inbound_burst;
    ++open_;
    ++config_.connections;
    schedule(connection, state_.tick + state_.ticks(config_.settings.ping_interval));
    if (gateway == nullptr) {
        std::string text;
        const HubSettings& s = config_.settings;
        protocol::append_welcome(
            text, {id, s.ping_interval, s.max_subscriptions, s.max_commands_in_flight, s.max_message_bytes});
        say(connection, text);
    } else if (gateway->on_connect) {
        gateway->on_connect(Client(*this, id));
    }
    if (config_.draining)
        close(connection, {ws::CloseCode::draining, "the server is going away", EndReason::going_away});
    else if (connection.is_open() && !leftover.empty())
        take(connection, std::as_writable_bytes(std::span(leftover)));
    if (connection.phase != Phase::ended && !connection.paused) wait_readable(connection);
    return id;
}

/// Makes it gone for everyone but the writer.
void HubShard::withdraw(Connection& connection, bool keep_pending) {
    if (connection.gateway != nullptr && connection.gateway->on_disconnect)
        connection.gateway->on_disconnect(Client(*this, connection.id));
    rooms_.leave_all(connection, keep_pending);
    connection.pending.reset();
    connection.intake.reset();
    --open_;
    --config_.connections;
}

void HubShard::close(Connection& connection, const Closing& closing) {
    if (!connection.is_open()) return;
    connection.end_reason = closing.end;
    connection.phase = Phase::closing;
    withdraw(connection, closing.keep_queue);
    if (!closing.keep_queue && connection.queue)
        state_.accounting.discard(connection.queue->drop_unbegun(), closing.end);
    if (closing.say_bye && connection.gateway == nullptr) {
        std::string text;
        protocol::append_bye(text, closing.code, closing.reason, closing.reconnect_after);
        say(connection, text);
    }
    const std::uint32_t from = state_.replies->size();
    ws::append_close(state_.replies->bytes(), closing.code, closing.reason);
    state_.replies->end_frame();
    writer_.push(connection, {state_.replies, from, state_.replies->size()}, SliceKind::control);
    connection.close_due = state_.tick + state_.ticks(config_.settings.close_timeout);
    schedule(connection, connection.close_due);
}

void HubShard::end(Connection& connection, EndReason reason) {
    if (connection.phase == Phase::ended) return;
    if (connection.is_open()) {
        connection.end_reason = reason;
        withdraw(connection, false);
    }
    connection.phase = Phase::ended;
    if (connection.queue) state_.accounting.discard(connection.queue->unsent_frames(), connection.end_reason);
    connection.queue.reset();
    ended_.push_back(connection.id);
}

void HubShard::unregister(ConnectionId id) {
    if (Connection* const connection = find_open(id)) end(*connection, EndReason::kicked);
}

void HubShard::touch(ConnectionId id) {
    Connection* const connection = find_open(id);
    if (connection == nullptr) return;
    connection->last_life = state_.tick;
    connection->pinged = false;
}

std::size_t HubShard::close_all() {
    std::size_t told = 0;
    for (std::uint32_t slot = 0; slot < table_.slots(); ++slot) {
        Connection* const connection = table_.at_slot(slot);
        if (connection == nullptr || !connection->is_open()) continue;
        close(*connection, {ws::CloseCode::going_away, "the server is going away", EndReason::going_away, true, false});
        ++told;
    }
    return told;
}

std::size_t HubShard::disconnect(const std::function<bool(const identity::Identity&)>& whom) {
    std::size_t told = 0;
    for (std::uint32_t slot = 0; slot < table_.slots(); ++slot) {
        Connection* const connection = table_.at_slot(slot);
        if (connection == nullptr || !connection->is_open() || !whom(*connection->who)) continue;
        close(*connection, {ws::CloseCode::rights_changed, "disconnected by the application", EndReason::kicked});
        ++told;
    }
    return told;
}

std::vector<ConnectionId> HubShard::sweep_idle(std::chrono::milliseconds idle) {
    std::vector<ConnectionId> closed;
    const Tick silent = state_.ticks(idle);
    for (std::uint32_t slot = 0; slot < table_.slots(); ++slot) {
        Connection* const connection = table_.at_slot(slot);
        if (connection == nullptr || !connection->is_open() || state_.tick - connection->last_life < silent) continue;
        read(*connection);  // what it said may lie in the socket
        if (!connection->is_open() || state_.tick - connection->last_life < silent) continue;
        ++state_.counters.reaped;
        closed.push_back(connection->id);
        close(*connection, {ws::CloseCode::silent, "silent for too long", EndReason::silent});
    }
    return closed;
}

void HubShard::on_too_slow(Connection& connection) {
    ++state_.counters.evictions;
    close(connection, {ws::CloseCode::slow, "reads too slowly", EndReason::slow, false, false});
}

void HubShard::on_drained(Connection& connection) {
    if (connection.phase != Phase::closing) return;
    connection.phase = Phase::lingering;
    connection.transport->shutdown_write();
    wait_readable(connection);
}

// Time

void HubShard::on_tick() {
    state_.tick = std::max(state_.tick, 1 + static_cast<Tick>((now() - started_) / config_.settings.tick));
    wheel_.advance(state_.tick, [this](ConnectionId id) { visit(id); });
    homes_.on_tick();
    bound_queues();
    drain_due();
    metrics_.show(shown_, open_, homes_.channels(), state_);
}

void HubShard::visit(ConnectionId id) {
    Connection* const connection = table_.find(id);
    if (connection == nullptr || connection->phase == Phase::ended) return;
    if (connection->is_open()) return visit_open(*connection);
    if (state_.tick < connection->close_due) return schedule(*connection, connection->close_due);
    connection->transport->reset();
    end(*connection, connection->end_reason);
}

void HubShard::visit_open(Connection& connection) {
    const HubSettings& settings = config_.settings;
    const Tick interval = state_.ticks(settings.ping_interval);
    const Tick stall = state_.ticks(settings.write_stall);
    if (connection.blocked && state_.tick - connection.progress_tick >= stall) return on_too_slow(connection);
    if (!connection.paused && state_.tick - connection.last_life >= interval) {
        read(connection);  // a process that stood still finds everyone's life in the sockets
        if (!connection.is_open()) return;
    }
    if (state_.tick - connection.last_life < interval) {
        schedule(connection, connection.last_life + interval);
    } else if (!std::exchange(connection.pinged, true)) {
        connection.ping_tick = state_.tick;
        if (connection.gateway != nullptr) {
            send_control(connection, ws::Opcode::ping, {});
        } else {
            std::string text;
            protocol::append_ping(text);
            writer_.push_control(connection, append_text(text));
        }
        schedule(connection, state_.tick + interval);
    } else if (state_.tick - connection.ping_tick >= interval) {
        ++state_.counters.reaped;
        close(connection, {ws::CloseCode::silent, "silent for two ping intervals", EndReason::silent});
    } else {
        schedule(connection, connection.ping_tick + interval);
    }
}

/// Beyond the shard's bytes whoever is furthest behind goes first.
void HubShard::bound_queues() {
    while (state_.pinned_bytes > config_.settings.shard_queue_bytes) {
        Connection* furthest = nullptr;
        for (std::uint32_t slot = 0; slot < table_.slots(); ++slot) {
            Connection* const connection = table_.at_slot(slot);
            if (connection == nullptr || !connection->is_open() || !connection->queue) continue;
            if (furthest == nullptr || connection->queue->bytes() > furthest->queue->bytes()) furthest = connection;
        }
        if (furthest == nullptr) return;
        on_too_slow(*furthest);
    }
}

// Turns

void HubShard::on_turn_end() {
    writer_.flush();
    resume_paused();
    rooms_.sweep([this](const LocalRoom& room) { report_gone(room); });
    free_ended();
    if (!writer_.idle() || !resuming_.empty()) boost::asio::post(shard_.executor(), [] {});  // makes another turn
    if (draining_) check_drained();
}

void HubShard::free_ended() {
    for (const ConnectionId id : std::exchange(ended_, {}))
        table_.remove(id);
}

void HubShard::report_gone(const LocalRoom& room) {
    at_home(
        hash_of(room.key->channel),
        [key = *room.key, shard = index(), grant = room.grant](HubShard& home) {
            home.homes().leave(key, shard, grant);
        },
        Refusable::no);
}

bool HubShard::at_home(std::uint64_t hash, std::move_only_function<void(HubShard&)> work, Refusable refusable) {
    HubShard& home = config_.home_of(hash);
    if (&home == this) {
        work(*this);
        return true;
    }
    runtime::Message message = [&home, work = std::move(work)]() mutable { work(home); };
    if (refusable == Refusable::yes) return home.shard().try_post(message);
    home.shard().post(std::move(message));
    return true;
}

// The end

void HubShard::drain(std::chrono::milliseconds window, runtime::Message done) {
    draining_ = true;
    drained_ = std::move(done);
    const Tick spread = state_.ticks(window / 2);
    drain_deadline_ = state_.tick + state_.ticks(window);
    homes_.stop();
    for (std::uint32_t slot = 0; slot < table_.slots(); ++slot) {
        const Connection* const connection = table_.at_slot(slot);
        if (connection != nullptr && connection->is_open())
            drain_order_.emplace_back(state_.tick + static_cast<Tick>(random_.below(spread)), connection->id);
    }
    std::ranges::sort(drain_order_, std::greater<>());
    drain_due();
}

void HubShard::drain_due() {
    if (!draining_) return;
    while (!drain_order_.empty() && drain_order_.back().first <= state_.tick) {
        Connection* const connection = find_open(drain_order_.back().second);
        drain_order_.pop_back();
        if (connection == nullptr) continue;
        const std::chrono::milliseconds pause(kLeastReconnectMs + random_.below(kReconnectSpreadMs));
        close(*connection,
              {ws::CloseCode::draining, "the server is going away", EndReason::going_away, true, true, pause});
    }
    if (state_.tick < drain_deadline_) return;
    handlers_.cancel();
    for (std::uint32_t slot = 0; slot < table_.slots(); ++slot) {
        Connection* const connection = table_.at_slot(slot);
        if (connection == nullptr || connection->phase == Phase::ended) continue;
        connection->transport->reset();
        end(*connection, EndReason::going_away);
    }
}

void HubShard::check_drained() {
    if (table_.size() > 0 || handlers_.running() > 0 || !homes_.stopped() || !drained_) return;
    timer_.cancel();
    shard_.remove_flusher(flusher_);
    metrics_.show(shown_, open_, homes_.channels(), state_);
    std::exchange(drained_, nullptr)();
}

}  // namespace sluice::realtime
