// A client of the echo server that writes exact bytes and reads everything that comes back.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sluice/testing/tcp_peer.hpp"
#include "tests/conformance/ws/rule.hpp"

namespace sluice::conformance::ws {

/// What came back on one connection, taken apart. Frames that break RFC 6455 throw testing::WsError.
struct Answers {
    std::vector<Seen> messages;
    std::vector<Seen> pongs;
    std::vector<std::uint16_t> closes;  ///< codes; 0: without one
    std::size_t pings = 0;
    bool nothing_behind_the_close = true;
};
[[nodiscard]] Answers parse_answers(std::string_view bytes);

[[nodiscard]] std::string handshake_request(const std::string& path = "/echo", const std::string& more_fields = {});

/// Opens a WebSocket on `/echo`. Throws unless the answer is 101.
class Peer {
public:
    explicit Peer(std::uint16_t port, const std::string& path = "/echo");
    testing::TcpPeer& wire() noexcept { return wire_; }
    /// Reads one frame.
    testing::WsFrame read_frame();
    /// Reads to the end of the stream.
    Answers read_to_the_end() { return parse_answers(wire_.read_until_closed()); }

private:
    testing::TcpPeer wire_;
};

/// Runs a rule on a connection of its own, written as `writes`; what is wrong, or nothing.
[[nodiscard]] std::string run_rule(const Rule& rule, const std::vector<std::string>& writes, std::uint16_t port);

}  // namespace sluice::conformance::ws
