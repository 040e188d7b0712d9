// The one stream type: a non-blocking socket that moves from the HTTP server to the hub with its leftover bytes. TLS
// will sit behind the same interface.
//
//     const net::IoResult got = stream.read_some(buffer);
//     if (got.status == net::IoStatus::would_block) stream.wait_readable([this](auto) { on_readable(); });
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "sluice/runtime/task.hpp"

struct iovec;

namespace sluice::net {

using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, runtime::Executor>;

enum class IoStatus : std::uint8_t { ok, would_block, eof, error };

struct IoResult {
    IoStatus status = IoStatus::ok;
    std::size_t bytes = 0;            ///< with `ok`, >= 1 unless nothing was asked for
    boost::system::error_code error;  ///< with `error`
};

/// A connected socket of one shard. All calls on that shard. Destruction closes.
class Stream {
public:
    /// Makes `socket` non-blocking and sets TCP_NODELAY.
    explicit Stream(Socket socket);
    Stream(Stream&&) noexcept = default;
    Stream& operator=(Stream&&) noexcept = default;

    /// One non-blocking read or write; never throws.
    IoResult read_some(std::span<std::byte> into) noexcept;
    IoResult write_some(std::span<const std::byte> from) noexcept;
    /// One `sendmsg` of up to IOV_MAX slices.
    IoResult write_gather(std::span<const iovec> slices) noexcept;

    /// Calls `ready` once when the socket can be read or written, with operation_aborted if it was closed before. At
    /// most one wait of each kind at a time.
    template <class Handler>
    void wait_readable(Handler ready) {
        socket_.async_wait(Socket::wait_read, std::move(ready));
    }
    template <class Handler>
    void wait_writable(Handler ready) {
        socket_.async_wait(Socket::wait_write, std::move(ready));
    }

    /// Coroutine forms; the stream must stay where it is meanwhile. `read` answers 0 at end of stream; both throw
    /// boost::system::system_error on failure.
    runtime::Task<std::size_t> read(std::span<std::byte> into);
    runtime::Task<void> write_all(std::span<const std::byte> from);

    /// Ends the waits in progress with operation_aborted; the socket stays usable.
    void cancel() noexcept {
        boost::system::error_code ignored;
        socket_.cancel(ignored);
    }
    /// Sends FIN; reading goes on.
    void shutdown_write() noexcept;
    void close() noexcept;
    /// Closes with RST and discards what the kernel still holds.
    void reset() noexcept;

    [[nodiscard]] bool is_open() const noexcept { return socket_.is_open(); }
    [[nodiscard]] int native_handle() noexcept { return socket_.native_handle(); }
    /// "address:port" of the peer, or "?" once it is gone.
    [[nodiscard]] std::string peer() const;

private:
    Socket socket_;
};

}  // namespace sluice::net
