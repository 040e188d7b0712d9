#include "sluice/testing/ws_client.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace sluice::testing {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kHandshakeLimit{10};
constexpr std::size_t kLargestControl = 125;

int left_until(Clock::time_point until) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 1'000'000));
}

std::uint64_t number_at(std::string_view bytes) {
    std::uint64_t value = 0;
    for (const char c : bytes)
        value = value << 8 | static_cast<unsigned char>(c);
    return value;
}

int open_socket(const WsConnect& to) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket < 0) throw WsError(std::string("no socket: ") + std::strerror(errno));
    if (to.receive_buffer > 0)
        ::setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &to.receive_buffer, sizeof to.receive_buffer);
    const int on = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(to.port);
    ::inet_pton(AF_INET, to.host.c_str(), &address.sin_addr);
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return socket;
    const std::string why = std::strerror(errno);
    ::close(socket);
    throw WsError("cannot connect to port " + std::to_string(to.port) + ": " + why);
}

std::string request_for(const WsConnect& to) {
    std::string request =
        "GET " + to.path + " HTTP/1.1\r\nHost: " + to.host + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
    request += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
    if (!to.protocol.empty()) request += "Sec-WebSocket-Protocol: " + to.protocol + "\r\n";
    for (const auto& [name, value] : to.headers)
        request += name + ": " + value + "\r\n";
    return request + "\r\n";
}

std::string protocol_in(std::string_view head) {
    constexpr std::string_view kName = "\r\nSec-WebSocket-Protocol: ";
    const std::size_t at = head.find(kName);
    if (at == std::string_view::npos) return {};
    const std::string_view value = head.substr(at + kName.size());
    return std::string(value.substr(0, value.find('\r')));
}

}  // namespace

std::uint16_t WsFrame::close_code() const noexcept {
    return payload.size() < 2 ? std::uint16_t{0}
                              : static_cast<std::uint16_t>(number_at(std::string_view(payload).substr(0, 2)));
}

std::string masked_frame(std::uint8_t opcode, std::string_view payload, bool fin, std::uint32_t mask) {
    std::string frame(1, static_cast<char>((fin ? 0x80 : 0) | opcode));
    const auto append_number = [&frame](std::uint64_t value, int bytes) {
        for (int i = bytes - 1; i >= 0; --i)
            frame.push_back(static_cast<char>(value >> (8 * i)));
    };
    if (payload.size() < 126) {
        append_number(0x80 | payload.size(), 1);
    } else if (payload.size() < 65'536) {
        append_number(0x80 | 126, 1);
        append_number(payload.size(), 2);
    } else {
        append_number(0x80 | 127, 1);
        append_number(payload.size(), 8);
    }
    append_number(mask, 4);
    for (std::size_t i = 0; i < payload.size(); ++i)
        frame.push_back(static_cast<char>(static_cast<unsigned char>(payload[i]) ^ (mask >> (8 * (3 - i % 4)) & 0xff)));
    return frame;
}

WsClient WsClient::connect(const WsConnect& to) {
    WsClient client(open_socket(to));
    client.send_raw(request_for(to));
    const auto until = Clock::now() + kHandshakeLimit;
    std::size_t end = std::string::npos;
    while ((end = client.buffer_.find("\r\n\r\n")) == std::string::npos)
        if (!client.fill(until)) throw WsError("no answer to the handshake: " + client.buffer_);
    const std::string head = client.buffer_.substr(0, end + 2);
    if (!head.starts_with("HTTP/1.1 101")) {
        while (client.fill(Clock::now() + std::chrono::milliseconds(50))) {
        }
        throw WsError("refused: " + client.buffer_);
    }
    if (!head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")) throw WsError("wrong Sec-WebSocket-Accept: " + head);
    client.protocol_ = protocol_in(head);
    client.buffer_.erase(0, end + 4);
    return client;
}

WsClient::WsClient(WsClient&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      ended_(other.ended_),
      protocol_(std::move(other.protocol_)),
      buffer_(std::move(other.buffer_)),
      taken_(other.taken_) {}

WsClient& WsClient::operator=(WsClient&& other) noexcept {
    std::swap(socket_, other.socket_);
    std::swap(ended_, other.ended_);
    std::swap(protocol_, other.protocol_);
    std::swap(buffer_, other.buffer_);
    std::swap(taken_, other.taken_);
    return *this;
}

WsClient::~WsClient() {
    if (socket_ >= 0) ::close(socket_);
}

void WsClient::send_frame(std::uint8_t opcode, std::string_view payload, bool fin) {
    send_raw(masked_frame(opcode, payload, fin));
}

void WsClient::send_raw(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) throw WsError(std::string("cannot send: ") + std::strerror(errno));
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
}

void WsClient::shutdown_write() {
    ::shutdown(socket_, SHUT_WR);
}

void WsClient::reset() {
    const linger now{1, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    ::close(std::exchange(socket_, -1));
}

void WsClient::close(std::uint16_t code, std::chrono::milliseconds limit) {
    const char payload[] = {static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
    send_frame(8, {payload, 2});
    const auto until = Clock::now() + limit;
    while (true) {
        const auto frame = receive(std::chrono::milliseconds(left_until(until)));
        if (!frame) throw WsError("the server has not ended the stream");
        if (frame->is_end()) return;
    }
}

/// Reads more; false at the end of the stream or of the time.
bool WsClient::fill(Clock::time_point until) {
    pollfd waiting{socket_, POLLIN, 0};
    if (::poll(&waiting, 1, left_until(until)) <= 0) return false;
    char bytes[16'384];
    const ssize_t got = ::recv(socket_, bytes, sizeof bytes, 0);
    if (got <= 0) {
        ended_ = true;
        return false;
    }
    buffer_.append(bytes, static_cast<std::size_t>(got));
    return true;
}

std::optional<WsFrame> parse_server_frame(std::string_view have, std::size_t& used) {
    if (have.size() < 2) return std::nullopt;
    const auto first = static_cast<unsigned char>(have[0]);
    const auto second = static_cast<unsigned char>(have[1]);
    if ((first & 0x70) != 0) throw WsError("reserved bits in a server frame");
    if ((second & 0x80) != 0) throw WsError("a server frame is masked");
    std::size_t header = 2;
    std::uint64_t length = second & 0x7f;
    if (length >= 126) {
        const std::size_t bytes = length == 126 ? 2 : 8;
        if (have.size() < header + bytes) return std::nullopt;
        length = number_at(have.substr(2, bytes));
        header += bytes;
        if (length < 126 || (bytes == 8 && length < 65'536)) throw WsError("a length not in its shortest form");
    }
    const std::uint8_t opcode = first & 0x0f;
    if (opcode >= 8 && (length > kLargestControl || (first & 0x80) == 0))
        throw WsError("a control frame that is long or fragmented");
    if (have.size() - header < length) return std::nullopt;
    used = header + static_cast<std::size_t>(length);
    return WsFrame{opcode, (first & 0x80) != 0, std::string(have.substr(header, static_cast<std::size_t>(length)))};
}

std::optional<WsFrame> WsClient::take_frame() {
    std::size_t used = 0;
    auto frame = parse_server_frame(std::string_view(buffer_).substr(taken_), used);
    taken_ += used;
    if (taken_ == buffer_.size() || taken_ > 65'536) {
        buffer_.erase(0, taken_);
        taken_ = 0;
    }
    return frame;
}

std::optional<WsFrame> WsClient::receive(std::chrono::milliseconds limit) {
    const auto until = Clock::now() + limit;
    while (true) {
        if (auto frame = take_frame()) return frame;
        if (fill(until)) continue;
        if (ended_) return WsFrame{};
        return std::nullopt;
    }
}

std::string WsClient::receive_text(std::chrono::milliseconds limit) {
    const auto until = Clock::now() + limit;
    while (true) {
        auto frame = receive(std::chrono::milliseconds(left_until(until)));
        if (!frame) throw WsError("no message within the time");
        if (frame->opcode == 1 && frame->fin) return std::move(frame->payload);
        if (frame->opcode == 9) {
            send_frame(10, frame->payload);
            continue;
        }
        if (frame->opcode == 10) continue;
        if (frame->is_end()) throw WsError("the stream ended instead of a message");
        if (frame->opcode == 8)
            throw WsError("closed with " + std::to_string(frame->close_code()) + " (" + frame->close_reason() +
                          ") instead of a message");
        throw WsError("an unexpected frame, opcode " + std::to_string(frame->opcode));
    }
}

WsFrame WsClient::receive_close(std::chrono::milliseconds limit) {
    const auto until = Clock::now() + limit;
    while (true) {
        auto frame = receive(std::chrono::milliseconds(left_until(until)));
        if (!frame) throw WsError("no close frame within the time");
        if (frame->opcode == 8) return std::move(*frame);
        if (frame->is_end()) throw WsError("the stream ended without a close frame");
    }
}

}  // namespace sluice::testing
