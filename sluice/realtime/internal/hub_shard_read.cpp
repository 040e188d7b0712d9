// HubShard: reading. One buffer for all connections; what a message lacks is parked with its connection.
#include <span>
#include <utility>

#include "sluice/realtime/internal/hub_shard.hpp"
#include "sluice/realtime/internal/session.hpp"

namespace sluice::realtime {
namespace {

constexpr int kReadsPerTurn = 4;  // of one connection, so that a flood leaves room for the others

}  // namespace

void HubShard::wait_readable(Connection& connection) {
    if (connection.phase == Phase::ended || std::exchange(connection.reading, true)) return;
    connection.transport->wait_readable(*this, connection.id);
}

void HubShard::on_readable(ConnectionId id) {
    Connection* const connection = table_.find(id);
    if (connection == nullptr || connection->phase == Phase::ended) return;
    connection->reading = false;
    if (!connection->is_open()) return read_to_the_end(*connection);
    if (connection->paused) return;
    read(*connection);
    if (connection->is_open() ? !connection->paused : connection->phase == Phase::lingering) wait_readable(*connection);
}

void HubShard::on_writable(ConnectionId id) {
    Connection* const connection = table_.find(id);
    if (connection != nullptr && connection->phase != Phase::ended) writer_.unblock(*connection);
}

void HubShard::read(Connection& connection) {
    for (int reads = 0; reads < kReadsPerTurn; ++reads) {
        const Transfer got = connection.transport->read(read_buffer_);
        if (got.status == TransferStatus::would_block) return;
        if (got.status != TransferStatus::ok) return end(connection, EndReason::client);
        if (!take(connection, std::span(read_buffer_).first(got.bytes)) || got.bytes < read_buffer_.size()) return;
    }
}

/// False when the connection does not read on: it is closing, or too many of its commands are in flight.
bool HubShard::take(Connection& connection, std::span<std::byte> bytes) {
    Session session(*this, connection);
    ws::MessageReader fresh(
        {config_.settings.max_message_bytes, static_cast<std::uint32_t>(config_.settings.max_fragments)});
    // Kept out of the connection while it is fed: closing the connection drops its intake.
    std::unique_ptr<Intake> intake = std::move(connection.intake);
    ws::MessageReader& reader = intake ? intake->reader : fresh;
    const std::size_t used = reader.feed(bytes, session);
    if (!connection.is_open()) return false;
    const std::span<std::byte> rest = bytes.subspan(used);
    if (!rest.empty() || !reader.at_rest()) {
        if (!intake) intake = std::make_unique<Intake>(std::move(fresh));
        intake->backlog.assign(reinterpret_cast<const char*>(rest.data()), rest.size());
        connection.intake = std::move(intake);
    }
    connection.paused = !may_take_commands(connection);
    return !connection.paused;
}

void HubShard::read_to_the_end(Connection& connection) {
    for (int reads = 0; reads < kReadsPerTurn; ++reads) {
        const Transfer got = connection.transport->read(read_buffer_);
        if (got.status == TransferStatus::ok) continue;
        if (got.status == TransferStatus::would_block) break;
        // While the close frame is still on its way only a failed write or the timeout ends it.
        if (connection.phase == Phase::lingering || got.status == TransferStatus::failed)
            end(connection, connection.end_reason);
        return;
    }
    wait_readable(connection);
}

bool HubShard::may_take_commands(const Connection& connection) const noexcept {
    return connection.commands_in_flight < config_.settings.max_commands_in_flight;
}

void HubShard::finish_command(Connection& connection, std::uint32_t commands) {
    connection.commands_in_flight = static_cast<std::uint16_t>(
        connection.commands_in_flight - std::min<std::uint32_t>(commands, connection.commands_in_flight));
    if (connection.paused && connection.is_open() && may_take_commands(connection)) resuming_.push_back(connection.id);
}

void HubShard::resume_paused() {
    for (const ConnectionId id : std::exchange(resuming_, {})) {
        Connection* const connection = find_open(id);
        if (connection == nullptr || !connection->paused || !may_take_commands(*connection)) continue;
        connection->paused = false;
        if (connection->intake && !connection->intake->backlog.empty()) {
            std::string backlog = std::exchange(connection->intake->backlog, {});
            take(*connection, std::as_writable_bytes(std::span(backlog)));
        }
        if (connection->is_open() && !connection->paused) wait_readable(*connection);
    }
}

}  // namespace sluice::realtime
