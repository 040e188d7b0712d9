// A net::Stream as the hub's transport.
#pragma once

#include "sluice/net/stream.hpp"
#include "sluice/realtime/transport.hpp"

namespace sluice::realtime {

class SocketTransport final : public Transport {
public:
    explicit SocketTransport(net::Stream stream) noexcept : stream_(std::move(stream)) {}

    Transfer read(std::span<std::byte> into) noexcept override;
    Transfer write(std::span<const std::byte> from) noexcept override;
    Transfer write_gather(std::span<const iovec> slices) noexcept override;
    void wait_readable(TransportEvents& events, ConnectionId id) override;
    void wait_writable(TransportEvents& events, ConnectionId id) override;
    void shutdown_write() noexcept override { stream_.shutdown_write(); }
    void reset() noexcept override { stream_.reset(); }

private:
    net::Stream stream_;
};

}  // namespace sluice::realtime
