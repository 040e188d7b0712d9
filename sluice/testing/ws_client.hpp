// A small blocking WebSocket client for tests: its frame code is its own, so it checks ours instead of repeating it.
//
//     auto client = testing::WsClient::connect({.port = port, .path = "/ws", .protocol = "sluice.v1.json"});
//     client.send_text(R"({"type":"subscribe","id":1,"channel":"projection/stock/A-1"})");
//     std::string answer = client.receive_text(5s);       // throws on a timeout, a close frame or a broken frame
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::testing {

/// What went wrong, for the test's output.
class WsError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct WsConnect {
    std::uint16_t port = 0;
    std::string host = "127.0.0.1";  ///< numeric
    std::string path = "/";
    std::string protocol{};  ///< empty: none is offered
    std::vector<std::pair<std::string, std::string>> headers{};
    int receive_buffer = 0;  ///< SO_RCVBUF before connecting, for slow readers; 0: the system's choice
};

/// One frame as it came.
struct WsFrame {
    std::uint8_t opcode = 0;  ///< 1 text, 2 binary, 8 close, 9 ping, 10 pong; 0: the peer ended the stream
    bool fin = true;
    std::string payload;

    [[nodiscard]] bool is_end() const noexcept { return opcode == 0; }
    /// Of a close frame; 0 if it has none.
    [[nodiscard]] std::uint16_t close_code() const noexcept;
    [[nodiscard]] std::string close_reason() const { return payload.size() > 2 ? payload.substr(2) : std::string(); }
};

/// The frame at the front of what a server sent, and its size in `used`; nothing if it is not complete. A frame that
/// breaks RFC 6455 (masked, reserved bits, a length not in its shortest form, a long control frame) throws.
[[nodiscard]] std::optional<WsFrame> parse_server_frame(std::string_view bytes, std::size_t& used);

/// Not thread-safe. Destruction closes the socket without a close frame.
class WsClient {
public:
    /// Throws WsError with the status line and body unless the server answers 101.
    static WsClient connect(const WsConnect& to);
    WsClient(WsClient&& other) noexcept;
    WsClient& operator=(WsClient&& other) noexcept;
    ~WsClient();

    void send_text(std::string_view text) { send_frame(1, text); }
    /// Masked, as a client has to.
    void send_frame(std::uint8_t opcode, std::string_view payload, bool fin = true);
    void send_raw(std::string_view bytes);
    /// Sends a close frame and reads until the server has ended the stream. Throws after `limit`.
    void close(std::uint16_t code, std::chrono::milliseconds limit);
    /// Ends our half of the stream.
    void shutdown_write();
    /// Ends the connection with RST.
    void reset();

    /// The next frame, or nothing when `limit` has passed. A frame that breaks RFC 6455 (masked, reserved bits, a
    /// length not in its shortest form, a long control frame) throws.
    std::optional<WsFrame> receive(std::chrono::milliseconds limit);
    /// The next text message. Answers pings. Throws WsError on anything else and after `limit`.
    std::string receive_text(std::chrono::milliseconds limit);
    /// Reads on to the close frame, whatever comes before. Throws if the stream ends without one or after `limit`.
    WsFrame receive_close(std::chrono::milliseconds limit);

    [[nodiscard]] const std::string& protocol() const noexcept { return protocol_; }
    [[nodiscard]] int native_handle() const noexcept { return socket_; }

private:
    explicit WsClient(int socket) noexcept : socket_(socket) {}
    std::optional<WsFrame> take_frame();
    bool fill(std::chrono::steady_clock::time_point until);

    int socket_ = -1;
    bool ended_ = false;
    std::string protocol_;
    std::string buffer_;  // received, not yet taken
    std::size_t taken_ = 0;
};

/// A frame as a client sends it, for hand-made ones: masked with `mask`.
[[nodiscard]] std::string masked_frame(std::uint8_t opcode, std::string_view payload, bool fin = true,
                                       std::uint32_t mask = 0x37fa213d);

}  // namespace sluice::testing
