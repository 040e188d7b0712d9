#include "sluice/realtime/socket_transport.hpp"

namespace sluice::realtime {
namespace {

Transfer transfer_of(const net::IoResult& result) noexcept {
    switch (result.status) {
        case net::IoStatus::ok:
            return {TransferStatus::ok, result.bytes};
        case net::IoStatus::would_block:
            return {TransferStatus::would_block, 0};
        case net::IoStatus::eof:
            return {TransferStatus::eof, 0};
        case net::IoStatus::error:
            break;
    }
    return {TransferStatus::failed, 0};
}

}  // namespace

Transfer SocketTransport::read(std::span<std::byte> into) noexcept {
    return transfer_of(stream_.read_some(into));
}

Transfer SocketTransport::write(std::span<const std::byte> from) noexcept {
    return transfer_of(stream_.write_some(from));
}

Transfer SocketTransport::write_gather(std::span<const iovec> slices) noexcept {
    return transfer_of(stream_.write_gather(slices));
}

void SocketTransport::wait_readable(TransportEvents& events, ConnectionId id) {
    stream_.wait_readable([&events, id](const boost::system::error_code& error) {
        if (error != boost::asio::error::operation_aborted) events.on_readable(id);
    });
}

void SocketTransport::wait_writable(TransportEvents& events, ConnectionId id) {
    stream_.wait_writable([&events, id](const boost::system::error_code& error) {
        if (error != boost::asio::error::operation_aborted) events.on_writable(id);
    });
}

}  // namespace sluice::realtime
