#include "sluice/net/stream.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include <fmt/format.h>
#include <boost/asio/buffer.hpp>
#include <boost/system/system_error.hpp>

namespace sluice::net {
namespace {

IoResult outcome_of(ssize_t moved) noexcept {
    if (moved >= 0) return {IoStatus::ok, static_cast<std::size_t>(moved), {}};
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {IoStatus::would_block, 0, {}};
    return {IoStatus::error, 0, boost::system::error_code(errno, boost::system::system_category())};
}

}  // namespace

Stream::Stream(Socket socket) : socket_(std::move(socket)) {
    boost::system::error_code ignored;    // a peer that is gone already shows at the first read
    socket_.non_blocking(true, ignored);  // the descriptor, too
    socket_.set_option(boost::asio::ip::tcp::no_delay(true), ignored);
}

IoResult Stream::read_some(std::span<std::byte> into) noexcept {
    if (into.empty()) return {};
    const IoResult got = outcome_of(::recv(socket_.native_handle(), into.data(), into.size(), 0));
    const bool ended = got.status == IoStatus::ok && got.bytes == 0;
    return ended ? IoResult{IoStatus::eof, 0, {}} : got;
}

IoResult Stream::write_some(std::span<const std::byte> from) noexcept {
    return outcome_of(::send(socket_.native_handle(), from.data(), from.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
}

IoResult Stream::write_gather(std::span<const iovec> slices) noexcept {
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(slices.data());  // sendmsg only reads it
    message.msg_iovlen = std::min<std::size_t>(slices.size(), IOV_MAX);
    return outcome_of(::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT));
}

runtime::Task<std::size_t> Stream::read(std::span<std::byte> into) {
    while (true) {
        const IoResult got = read_some(into);
        if (got.status == IoStatus::ok) co_return got.bytes;
        if (got.status == IoStatus::eof) co_return 0;
        if (got.status == IoStatus::error) throw boost::system::system_error(got.error);
        co_await socket_.async_wait(Socket::wait_read, runtime::use_task);
    }
}

runtime::Task<void> Stream::write_all(std::span<const std::byte> from) {
    while (!from.empty()) {
        const IoResult put = write_some(from);
        if (put.status == IoStatus::ok) {
            from = from.subspan(put.bytes);
            continue;
        }
        if (put.status == IoStatus::error) throw boost::system::system_error(put.error);
        co_await socket_.async_wait(Socket::wait_write, runtime::use_task);
    }
}

void Stream::shutdown_write() noexcept {
    boost::system::error_code ignored;
    socket_.shutdown(Socket::shutdown_send, ignored);
}

void Stream::close() noexcept {
    boost::system::error_code ignored;
    socket_.close(ignored);
}

void Stream::reset() noexcept {
    boost::system::error_code ignored;
    socket_.set_option(boost::asio::socket_base::linger(true, 0), ignored);
    socket_.close(ignored);
}

std::string Stream::peer() const {
    boost::system::error_code error;
    const auto endpoint = socket_.remote_endpoint(error);
    if (error) return "?";
    return fmt::format("{}:{}", endpoint.address().to_string(), endpoint.port());
}

}  // namespace sluice::net
