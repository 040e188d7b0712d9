// A connection without a socket: what the hub writes is kept, what a test feeds is read, and a limit makes it slow.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/uio.h>

#include "sluice/realtime/transport.hpp"
#include "sluice/runtime/shard.hpp"
#include "sluice/testing/ws_client.hpp"

namespace sluice::testing {

/// The test's end. Use it on the connection's shard only.
struct MemoryPeer {
    std::string received;  ///< everything that the hub wrote
    std::size_t write_calls = 0;
    std::size_t room = SIZE_MAX;  ///< bytes that the "kernel" still takes
    std::string to_read;          ///< what the hub has not read yet
    bool ended = false;           ///< we have ended our half
    bool broken = false;          ///< every further call fails
    bool write_shut = false;      ///< the hub has ended its half
    bool closed = false;          ///< the hub has let go of the transport
    bool was_reset = false;

    struct Wait {
        realtime::TransportEvents* events = nullptr;
        realtime::ConnectionId id;
    };
    std::optional<Wait> reader;
    std::optional<Wait> writer;

    /// Gives the hub bytes to read and wakes it if it waits.
    void send(std::string_view bytes) {
        to_read.append(bytes);
        wake_reader();
    }
    /// Takes every whole frame from `received`.
    std::vector<WsFrame> take_frames() {
        std::vector<WsFrame> frames;
        std::size_t taken = 0;
        std::size_t used = 0;
        while (auto frame = parse_server_frame(std::string_view(received).substr(taken), used)) {
            frames.push_back(std::move(*frame));
            taken += used;
        }
        received.erase(0, taken);
        return frames;
    }
    /// The same as payloads; a close frame reads `close <code>`, ping and pong likewise.
    std::vector<std::string> take_messages() {
        std::vector<std::string> messages;
        for (WsFrame& frame : take_frames()) {
            if (frame.opcode == 8)
                messages.push_back("close " + std::to_string(frame.close_code()));
            else if (frame.opcode >= 9)
                messages.push_back((frame.opcode == 9 ? "ping " : "pong ") + frame.payload);
            else
                messages.push_back(std::move(frame.payload));
        }
        return messages;
    }
    void end() {
        ended = true;
        wake_reader();
    }
    void wake_reader() {
        if (auto wait = std::exchange(reader, std::nullopt)) wait->events->on_readable(wait->id);
    }
    /// The "kernel" takes `bytes` more.
    void allow(std::size_t bytes) {
        room = room > SIZE_MAX - bytes ? SIZE_MAX : room + bytes;
        if (room == 0) return;
        if (auto wait = std::exchange(writer, std::nullopt)) wait->events->on_writable(wait->id);
    }
};

class MemoryTransport final : public realtime::Transport {
public:
    explicit MemoryTransport(std::shared_ptr<MemoryPeer> peer) noexcept : peer_(std::move(peer)) {}
    ~MemoryTransport() override { peer_->closed = true; }

    realtime::Transfer read(std::span<std::byte> into) noexcept override {
        if (peer_->broken) return {realtime::TransferStatus::failed, 0};
        if (peer_->to_read.empty())
            return {peer_->ended ? realtime::TransferStatus::eof : realtime::TransferStatus::would_block, 0};
        const std::size_t count = std::min(into.size(), peer_->to_read.size());
        std::memcpy(into.data(), peer_->to_read.data(), count);
        peer_->to_read.erase(0, count);
        return {realtime::TransferStatus::ok, count};
    }
    realtime::Transfer write(std::span<const std::byte> from) noexcept override {
        ++peer_->write_calls;
        return take(from);
    }
    realtime::Transfer write_gather(std::span<const iovec> slices) noexcept override {
        ++peer_->write_calls;
        std::size_t total = 0;
        for (const iovec& slice : slices) {
            const realtime::Transfer moved = take({static_cast<const std::byte*>(slice.iov_base), slice.iov_len});
            if (moved.status != realtime::TransferStatus::ok && total == 0) return moved;
            total += moved.bytes;
            if (moved.bytes < slice.iov_len) break;
        }
        return {realtime::TransferStatus::ok, total};
    }
    void wait_readable(realtime::TransportEvents& events, realtime::ConnectionId id) override {
        peer_->reader = MemoryPeer::Wait{&events, id};
        if (!peer_->to_read.empty() || peer_->ended || peer_->broken)
            later([](MemoryPeer& peer) { peer.wake_reader(); });
    }
    void wait_writable(realtime::TransportEvents& events, realtime::ConnectionId id) override {
        peer_->writer = MemoryPeer::Wait{&events, id};
        if (peer_->room > 0 || peer_->broken) later([](MemoryPeer& peer) { peer.allow(0); });
    }
    void shutdown_write() noexcept override { peer_->write_shut = true; }
    void reset() noexcept override { peer_->was_reset = true; }

private:
    void later(void (*what)(MemoryPeer&)) {
        runtime::Shard::current()->post([peer = peer_, what] { what(*peer); });
    }
    realtime::Transfer take(std::span<const std::byte> from) noexcept {
        if (peer_->broken) return {realtime::TransferStatus::failed, 0};
        const std::size_t count = std::min(from.size(), peer_->room);
        if (count == 0) return {realtime::TransferStatus::would_block, 0};
        peer_->received.append(reinterpret_cast<const char*>(from.data()), count);
        if (peer_->room != SIZE_MAX) peer_->room -= count;
        return {realtime::TransferStatus::ok, count};
    }

    std::shared_ptr<MemoryPeer> peer_;  // with the test
};

}  // namespace sluice::testing
