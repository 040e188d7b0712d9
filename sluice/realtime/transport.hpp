// What the hub needs of a socket, so that its logic runs without one. SocketTransport (socket_transport.hpp) is the
// real one; testing::MemoryTransport the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "sluice/realtime/ids.hpp"

struct iovec;

namespace sluice::realtime {

enum class TransferStatus : std::uint8_t { ok, would_block, eof, failed };

struct Transfer {
    TransferStatus status = TransferStatus::ok;
    std::size_t bytes = 0;  ///< with `ok`, >= 1
};

/// Told when a wait is over. Called on the connection's shard; the connection may be gone by then.
class TransportEvents {
public:
    virtual void on_readable(ConnectionId id) = 0;
    virtual void on_writable(ConnectionId id) = 0;

protected:
    ~TransportEvents() = default;
};

/// A connected, upgraded byte stream of one shard, non-blocking. Destruction closes it and drops what waits.
class Transport {
public:
    virtual ~Transport() = default;

    virtual Transfer read(std::span<std::byte> into) noexcept = 0;
    virtual Transfer write(std::span<const std::byte> from) noexcept = 0;
    /// One system call for all slices.
    virtual Transfer write_gather(std::span<const iovec> slices) noexcept = 0;

    /// Calls `events.on_readable(id)` (or `on_writable`) once, later. One wait of each kind at a time.
    virtual void wait_readable(TransportEvents& events, ConnectionId id) = 0;
    virtual void wait_writable(TransportEvents& events, ConnectionId id) = 0;

    /// Tells the peer that nothing more comes; reading goes on.
    virtual void shutdown_write() noexcept = 0;
    /// Ends at once and discards what the kernel still holds.
    virtual void reset() noexcept = 0;
};

}  // namespace sluice::realtime
