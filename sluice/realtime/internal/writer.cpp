#include "sluice/realtime/internal/writer.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include <sys/uio.h>

namespace sluice::realtime {
namespace {

constexpr std::size_t kSlicesPerCall = 256;
constexpr std::size_t kVisitsPerTurn = 16'384;  // of members whose frames only go into a queue
constexpr std::size_t kSpareQueues = 64;
constexpr std::size_t kLargestKeptBatch = 4 * 1024;  // of a room, for its next frames
constexpr std::uint32_t kPrefetch = 4;               // members ahead, and twice as many

/// Members are spread over the heap: their connections are asked for early, then the transports those point to.
void prefetch(LocalRoom& room, std::uint32_t index) noexcept {
    if (index + 2 * kPrefetch < room.walk_end) __builtin_prefetch(room.members.at(index + 2 * kPrefetch).who);
    if (index + kPrefetch >= room.walk_end) return;
    if (const Connection* const next = room.members.at(index + kPrefetch).who)
        __builtin_prefetch(next->transport.get());
}

std::span<const std::byte> bytes_of(std::string_view view) noexcept {
    return std::as_bytes(std::span(view));
}

}  // namespace

Writer::Writer(ShardState& state, ConnectionTable& table, Rooms& rooms, WriterEvents& events,
               TransportEvents& transport_events)
    : state_(state), table_(table), rooms_(rooms), events_(events), transport_events_(transport_events) {}

OutboundQueue& Writer::queue_of(Connection& connection) {
    if (connection.queue) return *connection.queue;
    if (spare_queues_.empty()) {
        connection.queue = std::make_unique<OutboundQueue>();
    } else {
        connection.queue = std::move(spare_queues_.back());
        spare_queues_.pop_back();
    }
    return *connection.queue;
}

void Writer::recycle(Connection& connection) {
    if (spare_queues_.size() < kSpareQueues)
        spare_queues_.push_back(std::move(connection.queue));
    else
        connection.queue.reset();
}

void Writer::push(Connection& connection, Slice slice, SliceKind kind) {
    queue_of(connection).push(std::move(slice), kind);
    touch(connection);
    if (connection.blocked && kind == SliceKind::data) check_limits(connection);
}

bool Writer::push_control(Connection& connection, Slice frame) {
    if (!queue_of(connection).push_control(std::move(frame), state_.settings.queue_control_frames)) return false;
    touch(connection);
    return true;
}

void Writer::touch(Connection& connection) {
    if (connection.blocked || !connection.queue || std::exchange(connection.dirty, true)) return;
    dirty_.push_back(connection.id);
}

void Writer::unblock(Connection& connection) {
    connection.blocked = false;
    touch(connection);
}

void Writer::broadcast(TenantFrames frames) {
    TenantWalk walk{std::move(frames), {}, 0, table_.slots(), 0};
    for (std::size_t i = 0; i < kEncodings; ++i) {
        if (!walk.what.frames[i]) continue;
        walk.batches[i] = Batch::make(state_.pinned_bytes);
        walk.batches[i]->append_framed(walk.what.frames[i]->bytes, walk.what.frames[i]->ends);
    }
    tenants_.push_back(std::move(walk));
}

bool Writer::flush() {
    std::vector<LocalRoom*>& dirty = rooms_.dirty();
    std::erase_if(dirty, [this](LocalRoom* room) {
        if (room->walked) return false;  // its frames go when this walk is done
        freeze(*room);
        return true;
    });
    walk_rooms();
    walk_tenants();
    flush_connections();
    if (state_.replies->is_unshared())
        state_.replies->clear();
    else if (state_.replies->size() > 0)
        state_.replies = Batch::make(state_.pinned_bytes);
    return !idle();
}

void Writer::freeze(LocalRoom& room) {
    room.dirty = false;
    room.walked = std::exchange(room.open, {});
    room.walk_at = 0;
    room.walk_end = room.members.end_index();
    if (std::exchange(room.has_offsets, false)) {
        for (std::uint32_t i = 0; i < room.walk_end; ++i) {
            auto& member = room.members.at(i);
            member.walked_from = std::exchange(member.from, 0);
        }
    }
    room.members.begin_walk();
    const bool small = room.members.size() <= state_.settings.walk_chunk;
    (small ? small_walks_ : large_walks_).push_back(&room);
}

void Writer::finish(LocalRoom& room) {
    room.members.end_walk();
    if (!room.open && room.walked->is_unshared() && room.walked->size() <= kLargestKeptBatch) {
        room.walked->clear();
        room.open = std::move(room.walked);
    }
    room.walked = {};
    room.members.compact([](MemberList<Connection>::Member& member, std::uint32_t index) {
        member.who->memberships[member.slot].index = index;
    });
}

/// Small rooms first and whole, as far as the turn's share of system calls goes; then a chunk of every large one, so
/// that who is a member of several gets all of them in one call.
void Writer::walk_rooms() {
    std::size_t visits = kVisitsPerTurn;
    walk_each(small_walks_, visits);
    walk_each(large_walks_, visits);
}

void Writer::walk_each(std::vector<LocalRoom*>& walks, std::size_t& visits) {
    std::size_t sends = state_.settings.walk_chunk;
    std::erase_if(walks, [&](LocalRoom* room) {
        if (!walk(*room, visits, sends)) return false;
        finish(*room);
        return true;
    });
}

/// True when every member has been visited.
bool Writer::walk(LocalRoom& room, std::size_t& visits, std::size_t& sends) {
    while (room.walk_at < room.walk_end) {
        if (visits == 0 || sends == 0) return false;
        const std::uint32_t index = room.walk_at++;  // first: whoever is closed by the visit has nothing left to get
        prefetch(room, index);
        auto& member = room.members.at(index);
        if (member.who == nullptr) continue;
        --visits;
        visit(room, member, sends);
    }
    return true;
}

void Writer::visit(LocalRoom& room, MemberList<Connection>::Member& member, std::size_t& sends) {
    Connection& connection = *member.who;
    const std::uint32_t from = std::exchange(member.walked_from, 0);
    if (from == room.walked->size()) return;
    if (connection.queue || connection.memberships.size() > 1) {
        push(connection, {room.walked, from, room.walked->size()}, SliceKind::data);
        return;
    }
    --sends;
    write_direct(connection, room.walked, from);
}

void Writer::walk_tenants() {
    std::size_t visits = kVisitsPerTurn;
    while (!tenants_.empty() && visits > 0) {
        TenantWalk& walk = tenants_.front();
        for (; walk.at < walk.end && visits > 0; ++walk.at, --visits) {
            Connection* const connection = table_.at_slot(walk.at);
            if (connection == nullptr || !connection->is_open() || connection->who->tenant != walk.what.tenant)
                continue;
            const BatchRef& batch = walk.batches[static_cast<std::size_t>(connection->encoding())];
            state_.accounting.offer(batch->frames());
            ++walk.reached;
            push(*connection, {batch, 0, batch->size()}, SliceKind::data);
        }
        if (walk.at < walk.end) return;
        if (walk.what.counter) walk.what.counter->report(walk.reached);
        tenants_.pop_front();
    }
}

void Writer::flush_connections() {
    const std::size_t count = std::min(dirty_.size(), 2 * state_.settings.walk_chunk);
    for (std::size_t i = 0; i < count; ++i) {
        Connection* const connection = table_.find(dirty_[i]);  // by index: closing one connection may touch another
        if (connection == nullptr) continue;
        connection->dirty = false;
        if (connection->phase == Phase::ended || connection->blocked || !connection->queue) continue;
        write_queue(*connection);
    }
    dirty_.erase(dirty_.begin(), dirty_.begin() + static_cast<std::ptrdiff_t>(count));
}

void Writer::write_direct(Connection& connection, const BatchRef& batch, std::uint32_t from) {
    const std::string_view view = batch->view(from, batch->size());
    const std::uint32_t frames = batch->frames_between(from, batch->size());
    const Transfer moved = connection.transport->write(bytes_of(view));
    ++state_.counters.write_calls;
    if (moved.status == TransferStatus::ok && moved.bytes == view.size()) {
        state_.accounting.deliver(frames);
        return;
    }
    OutboundQueue& queue = queue_of(connection);
    queue.push({batch, from, batch->size()}, SliceKind::data);
    if (moved.status == TransferStatus::failed || moved.status == TransferStatus::eof)
        return events_.on_write_failed(connection);
    state_.accounting.deliver(queue.consume(moved.status == TransferStatus::ok ? moved.bytes : 0).frames);
    after_write(connection);
}

void Writer::write_queue(Connection& connection) {
    std::array<iovec, kSlicesPerCall> slices;
    while (!connection.queue->empty()) {
        std::size_t bytes = 0;
        const std::size_t count = connection.queue->gather(slices, bytes);
        const Transfer moved =
            count == 1 ? connection.transport->write(bytes_of({static_cast<const char*>(slices[0].iov_base), bytes}))
                       : connection.transport->write_gather(std::span(slices).first(count));
        ++state_.counters.write_calls;
        if (moved.status == TransferStatus::would_block) break;
        if (moved.status != TransferStatus::ok) return events_.on_write_failed(connection);
        const Sent sent = connection.queue->consume(moved.bytes);
        connection.progress_tick = state_.tick;
        state_.accounting.deliver(sent.frames);
        if (sent.replies > 0) events_.on_replies_sent(connection, sent.replies);
        if (moved.bytes < bytes) break;
    }
    after_write(connection);
}

void Writer::after_write(Connection& connection) {
    if (connection.queue->empty()) {
        recycle(connection);
        if (!connection.is_open()) events_.on_drained(connection);
        return;
    }
    connection.blocked = true;
    connection.progress_tick = state_.tick;
    connection.queue->unpin(state_.settings.small_rest_bytes, state_.pinned_bytes);
    connection.transport->wait_writable(transport_events_, connection.id);
    check_limits(connection);
}

void Writer::check_limits(Connection& connection) {
    if (connection.is_open() && connection.queue->exceeds(state_.settings.queue_frames, state_.settings.queue_bytes))
        events_.on_too_slow(connection);
}

}  // namespace sluice::realtime
