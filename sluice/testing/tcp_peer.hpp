// A blocking TCP client for tests: it sends exact bytes in exact pieces and reads HTTP answers. Every wait has a
// deadline and throws std::runtime_error when it passes.
//
//     testing::TcpPeer peer(server.port());
//     peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
//     EXPECT_EQ(peer.read_answer().status, 200);
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace sluice::testing {

struct HttpAnswer {
    unsigned status = 0;
    std::map<std::string, std::string> headers;  ///< names in lower case; of repeated ones the last
    std::string body;
};

/// One connection to 127.0.0.1. Not thread-safe.
class TcpPeer {
public:
    explicit TcpPeer(std::uint16_t port, std::chrono::milliseconds patience = std::chrono::seconds(10));
    ~TcpPeer();
    TcpPeer(const TcpPeer&) = delete;
    TcpPeer& operator=(const TcpPeer&) = delete;

    /// Sends all of `bytes`; a peer that has closed is not an error here: the answer tells.
    void send(std::string_view bytes);
    /// In pieces of `size` bytes, each a packet of its own.
    void send_in_pieces(std::string_view bytes, std::size_t size);
    void shutdown_write();
    /// Closes with RST.
    void reset();

    /// Whether the other side has not reset the connection; a FIN alone does not count.
    [[nodiscard]] bool is_connected() const;

    /// The next answer with a Content-Length, or none where its status has no body. `to_head`: no body follows.
    HttpAnswer read_answer(bool to_head = false);
    /// Exactly `count` bytes.
    std::string read(std::size_t count);
    /// What comes until the other side closes, by FIN or RST.
    std::string read_until_closed();

private:
    bool fill();

    std::chrono::milliseconds patience_;
    int socket_ = -1;
    std::string input_;
};

}  // namespace sluice::testing
