// The opening handshake over sockets: which requests become a WebSocket, what is said to the others, and what becomes
// of bytes that follow, come slowly or do not come.
#include <chrono>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/conformance/echo_server.hpp"
#include "tests/conformance/tally.hpp"
#include "tests/conformance/ws/peer.hpp"

namespace sluice::conformance::ws {
namespace {

using namespace std::chrono_literals;
using testing::HttpAnswer;
using testing::TcpPeer;

/// One line of the good request replaced, removed (empty) or added (with a name that is not there).
struct HandshakeRule {
    std::string says;
    std::string line;  ///< first characters of the line that changes
    std::string with;  ///< may be several lines
    unsigned status;
    std::string path = "/echo";
    std::string first_line{};  ///< instead of the good one
};

const std::vector<HandshakeRule> kRules = {
    {"the example of the RFC", "X", "X-A: b", 101},
    {"Upgrade in another case", "Upgrade", "Upgrade: WebSocket", 101},
    {"Upgrade in a list", "Upgrade", "Upgrade: h2c, websocket", 101},
    {"Upgrade in two lines", "Upgrade", "Upgrade: h2c\r\nUpgrade: websocket", 101},
    {"no Upgrade", "Upgrade", "", 426},
    {"Upgrade to another protocol", "Upgrade", "Upgrade: h2c", 426},
    {"Upgrade that begins like it", "Upgrade", "Upgrade: websockets", 426},
    {"Upgrade in quotes", "Upgrade", "Upgrade: \"websocket\"", 426},
    {"Connection in another case", "Connection", "connection: UPGRADE", 101},
    {"Connection in a list", "Connection", "Connection: keep-alive, Upgrade", 101},
    {"Connection in two lines", "Connection", "Connection: keep-alive\r\nConnection: upgrade", 101},
    {"no Connection", "Connection", "", 400},
    {"Connection that does not name it", "Connection", "Connection: keep-alive", 400},
    {"Connection that begins like it", "Connection", "Connection: upgraded", 400},
    {"Connection close", "Connection", "Connection: close", 400},
    {"no key", "Sec-WebSocket-Key", "", 400},
    {"empty key", "Sec-WebSocket-Key", "Sec-WebSocket-Key:", 400},
    {"two keys", "Sec-WebSocket-Key",
     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", 400},
    {"key of 15 bytes", "Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j", 400},
    {"key of 17 bytes", "Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWE=", 400},
    {"key that is no base64", "Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j!!==", 400},
    {"key in the alphabet of URLs", "Sec-WebSocket-Key", "Sec-WebSocket-Key: -_hlIHNhbXBsZSBub25jZQ==", 400},
    {"key with bits behind its end", "Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==", 400},
    {"key without padding", "Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ", 400},
    {"key with white space around", "Sec-WebSocket-Key", "Sec-WebSocket-Key: \t dGhlIHNhbXBsZSBub25jZQ== ", 101},
    {"no version", "Sec-WebSocket-Version", "", 400},
    {"version 8", "Sec-WebSocket-Version", "Sec-WebSocket-Version: 8", 426},
    {"version 0", "Sec-WebSocket-Version", "Sec-WebSocket-Version: 0", 426},
    {"version 013", "Sec-WebSocket-Version", "Sec-WebSocket-Version: 013", 426},
    {"version +13", "Sec-WebSocket-Version", "Sec-WebSocket-Version: +13", 426},
    {"version 256", "Sec-WebSocket-Version", "Sec-WebSocket-Version: 256", 426},
    {"version in a list", "Sec-WebSocket-Version", "Sec-WebSocket-Version: 13, 8", 426},
    {"two versions", "Sec-WebSocket-Version", "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13", 400},
    {"no Host", "Host", "", 400},
    {"two Hosts", "Host", "Host: shop.example\r\nHost: shop.example", 400},
    {"a length of zero", "X", "Content-Length: 0", 101},
    {"a body", "X", "Content-Length: 5\r\n\r\nhello", 400},
    {"a chunked body", "X", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0", 400},
    {"an empty chunked body", "X", "Transfer-Encoding: chunked\r\n\r\n0", 400},
    {"POST", "X", "X-A: b", 405, "/echo", "POST /echo HTTP/1.1"},
    {"HEAD", "X", "X-A: b", 405, "/echo", "HEAD /echo HTTP/1.1"},
    {"PUT", "X", "X-A: b", 405, "/echo", "PUT /echo HTTP/1.1"},
    {"get", "X", "X-A: b", 501, "/echo", "get /echo HTTP/1.1"},
    {"HTTP/1.0", "X", "X-A: b", 400, "/echo", "GET /echo HTTP/1.0"},
    {"HTTP/2.0", "X", "X-A: b", 505, "/echo", "GET /echo HTTP/2.0"},
    {"absolute form", "X", "X-A: b", 101, "/echo", "GET http://shop.example/echo HTTP/1.1"},
    {"a path that is none of ours", "X", "X-A: b", 404, "/nowhere"},
    {"a page's path", "X", "X-A: b", 200, "/hello"},
    {"an unknown extension", "X", "Sec-WebSocket-Extensions: x-unknown; a=b", 101},
    {"deflate", "X", "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits", 101},
    {"deflate with a window of 8", "X", "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=8", 101},
    {"deflate with a window of 16", "X", "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=16",
     101},
    {"an open quote in an extension", "X", "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=\"9",
     101},
    {"an empty extension", "X", "Sec-WebSocket-Extensions:", 101},
    {"the protocol", "X", "Sec-WebSocket-Protocol: echo.v1", 101, "/chat"},
    {"the protocol among others", "X", "Sec-WebSocket-Protocol: soap, echo.v1", 101, "/chat"},
    {"the protocol in a second line", "X", "Sec-WebSocket-Protocol: soap\r\nSec-WebSocket-Protocol: echo.v1", 101,
     "/chat"},
    {"no protocol", "X", "X-A: b", 400, "/chat"},
    {"other protocols", "X", "Sec-WebSocket-Protocol: soap, wamp", 400, "/chat"},
    {"the protocol in another case", "X", "Sec-WebSocket-Protocol: ECHO.V1", 400, "/chat"},
    {"the protocol twice", "X", "Sec-WebSocket-Protocol: echo.v1, echo.v1", 400, "/chat"},
    {"a protocol that is no token", "X", "Sec-WebSocket-Protocol: echo v1, echo.v1", 400, "/chat"},
    {"an offer where none is needed", "X", "Sec-WebSocket-Protocol: soap", 101},
    // A page of another host (S15).
    {"Origin on the list", "X", "Origin: https://shop.example", 101},
    {"Origin of the host itself", "X", "Origin: http://shop.example", 101},
    {"Origin null", "X", "Origin: null", 403},
    {"empty Origin", "X", "Origin:", 403},
    {"another Origin", "X", "Origin: https://evil.example", 403},
    {"Origin with the name as a prefix", "X", "Origin: https://shop.example.evil.example", 403},
    {"Origin with the name as a suffix", "X", "Origin: https://evilshop.example", 403},
    {"Origin with another port", "X", "Origin: https://shop.example:444", 403},
    {"Origin with userinfo", "X", "Origin: https://shop.example@evil.example", 403},
    {"Origin with a path", "X", "Origin: https://evil.example/shop.example", 403},
    {"two Origins in one", "X", "Origin: https://shop.example https://evil.example", 403},
    {"two Origins in a list", "X", "Origin: https://shop.example, https://evil.example", 403},
    {"two Origins", "X", "Origin: https://shop.example\r\nOrigin: https://evil.example", 403},
    {"two Origins, the good one last", "X", "Origin: https://evil.example\r\nOrigin: https://shop.example", 403},
};

std::string request_of(const HandshakeRule& rule) {
    const std::string good = handshake_request(rule.path);
    std::string out;
    std::size_t at = 0;
    bool replaced = false;
    while (at + 2 < good.size()) {
        const std::size_t end = good.find("\r\n", at);
        std::string line = good.substr(at, end - at);
        if (at == 0 && !rule.first_line.empty()) line = rule.first_line;
        if (at > 0 && line.starts_with(rule.line + ":")) {
            line = rule.with;
            replaced = true;
        }
        if (!line.empty()) out += line + "\r\n";
        at = end + 2;
    }
    return out + (replaced ? "" : rule.with + "\r\n") + "\r\n";
}

http::ServerSettings with_origins() {
    http::ServerSettings settings;
    settings.origins = http::OriginPolicy({"https://shop.example", "http://127.0.0.1:8080"});
    return settings;
}

/// What the headers of an answer have to say beside the status.
std::string flaw_of_answer(const HandshakeRule& rule, const HttpAnswer& answer) {
    const auto field = [&answer](const char* name) {
        const auto found = answer.headers.find(name);
        return found == answer.headers.end() ? std::string("(none)") : found->second;
    };
    if (answer.status != rule.status) return fmt::format("answered {}, not {}", answer.status, rule.status);
    if (rule.status == 101) {
        if (field("sec-websocket-accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") return "a wrong accept key";
        if (field("upgrade") != "websocket" || field("connection") != "Upgrade") return "101 without its fields";
        if (field("sec-websocket-extensions") != "(none)") return "an extension that is not spoken here";
        const std::string protocol = rule.path == "/chat" ? "echo.v1" : "(none)";
        if (field("sec-websocket-protocol") != protocol) return "a wrong subprotocol";
        if (field("content-length") != "(none)" || field("transfer-encoding") != "(none)") return "101 with a body";
    }
    // RFC 9110 section 15.5.22: a 426 names the protocol; RFC 6455 section 4.4: and its version.
    if (rule.status == 426 && field("upgrade") != "websocket") return "426 without Upgrade";
    if (rule.status == 426 && rule.says.starts_with("version") && field("sec-websocket-version") != "13")
        return "426 without the version that is spoken here";
    if (rule.status == 405 && field("allow").find("GET") == std::string::npos) return "405 without Allow: GET";
    return {};
}

class Handshake : public ::testing::Test {
protected:
    static void SetUpTestSuite() { server = new EchoServer(with_origins(), {}); }
    static void TearDownTestSuite() {
        delete server;
        server = nullptr;
    }
    static void count(const std::string& name, bool passed) { Tally::instance().count("server: " + name, passed); }

    static EchoServer* server;
};
EchoServer* Handshake::server = nullptr;

TEST_F(Handshake, follows_the_table_whole_and_byte_by_byte) {
    for (const HandshakeRule& rule : kRules) {
        std::string complaint;
        for (const std::size_t piece : {std::size_t{10'000}, std::size_t{1}}) {
            TcpPeer peer(server->port());
            peer.send_in_pieces(request_of(rule), piece);
            const HttpAnswer answer = peer.read_answer(rule.first_line.starts_with("HEAD"));
            if (complaint.empty()) complaint = flaw_of_answer(rule, answer);
        }
        EXPECT_EQ(complaint, "") << rule.says;
        count("own handshake", complaint.empty());
    }
}

TEST_F(Handshake, bytes_behind_it_in_the_same_packet_are_frames) {
    const std::string behind = masked_frame(1, "at once") + masked_frame(9, "p") + close_frame(1000);
    for (std::size_t cut = 0; cut <= behind.size(); ++cut) {
        TcpPeer peer(server->port());
        peer.send(handshake_request() + behind.substr(0, cut));
        EXPECT_EQ(peer.read_answer().status, 101U);
        peer.send(behind.substr(cut));
        const Answers answers = parse_answers(peer.read_until_closed());
        const bool passed = answers.messages == std::vector{text("at once")} &&
                            answers.pongs == std::vector{pong("p")} &&
                            answers.closes == std::vector<std::uint16_t>{1000};
        EXPECT_TRUE(passed) << cut;
        count("own leftover bytes", passed);
    }
}

TEST_F(Handshake, it_may_follow_other_requests_on_its_connection) {
    TcpPeer peer(server->port());
    peer.send("GET /hello HTTP/1.1\r\nHost: shop.example\r\n\r\n" + handshake_request() + masked_frame(1, "x") +
              close_frame(1000));
    EXPECT_EQ(peer.read_answer().body, "hello");
    EXPECT_EQ(peer.read_answer().status, 101U);
    const Answers answers = parse_answers(peer.read_until_closed());
    EXPECT_EQ(answers.messages, std::vector{text("x")});
    count("own handshake", answers.messages == std::vector{text("x")});
}

TEST_F(Handshake, one_that_is_refused_leaves_an_ordinary_connection) {
    TcpPeer peer(server->port());
    peer.send(request_of({"", "Sec-WebSocket-Version", "Sec-WebSocket-Version: 12", 426}));
    EXPECT_EQ(peer.read_answer().status, 426U);
    peer.send(handshake_request() + close_frame(1000));
    EXPECT_EQ(peer.read_answer().status, 101U);
    const bool passed = parse_answers(peer.read_until_closed()).closes == std::vector<std::uint16_t>{1000};
    EXPECT_TRUE(passed);
    count("own handshake", passed);
}

/// Slow and half-open peers (S16), with short periods.
class ImpatientServer : public ::testing::Test {
protected:
    static http::ServerSettings impatient_http() {
        http::ServerSettings settings;
        settings.head_time = 500ms;
        return settings;
    }
    static realtime::HubSettings impatient_hub() {
        realtime::HubSettings settings;
        settings.tick = 10ms;
        settings.ping_interval = 200ms;
        settings.close_timeout = 200ms;
        return settings;
    }
    static void count(bool passed) { Tally::instance().count("server: own slow and half-open peers", passed); }

    EchoServer server{impatient_http(), impatient_hub()};
};

TEST_F(ImpatientServer, a_handshake_that_stops_is_answered_408) {
    const std::string request = handshake_request();
    for (const std::size_t sent : {std::size_t{1}, request.size() / 2, request.size() - 1}) {
        TcpPeer peer(server.port());
        peer.send(request.substr(0, sent));
        const bool passed = peer.read_answer().status == 408;
        EXPECT_TRUE(passed) << sent;
        count(passed);
    }
}

TEST_F(ImpatientServer, a_peer_that_says_nothing_is_pinged_and_closed_with_4102) {
    Peer peer(server.port());
    const Answers answers = peer.read_to_the_end();
    EXPECT_GE(answers.pings, 1U);
    EXPECT_EQ(answers.closes, std::vector<std::uint16_t>{4102});
    count(answers.pings >= 1 && answers.closes == std::vector<std::uint16_t>{4102});
}

TEST_F(ImpatientServer, a_peer_that_answers_pings_stays) {
    realtime::HubSettings patient = impatient_hub();
    patient.ping_interval = 1'000ms;  // a busy machine has time to answer
    const EchoServer other(impatient_http(), patient);
    Peer peer(other.port());
    for (int round = 0; round < 3; ++round) {
        const testing::WsFrame ping = peer.read_frame();
        ASSERT_EQ(ping.opcode, 9);
        peer.wire().send(masked_frame(10, ping.payload));
    }
    peer.wire().send(close_frame(1000));
    const bool passed = peer.read_to_the_end().closes == std::vector<std::uint16_t>{1000};
    EXPECT_TRUE(passed);
    count(passed);
}

/// A frame that stops in the middle holds its connection no longer than silence does.
TEST_F(ImpatientServer, a_peer_that_stops_inside_a_frame_is_closed_with_4102) {
    for (const std::string& half : {std::string("\x81"), std::string("\x81\xfe"), masked_frame(1, "hello").substr(0, 8),
                                    masked_frame(1, "part", false), masked_frame(8, "").substr(0, 3)}) {
        Peer peer(server.port());
        peer.wire().send(half);
        const bool passed = peer.read_to_the_end().closes == std::vector<std::uint16_t>{4102};
        EXPECT_TRUE(passed) << half.size();
        count(passed);
    }
}

/// The server ends TCP first, and does not wait for ever for a peer that never ends its half.
TEST_F(ImpatientServer, a_peer_that_never_ends_its_half_is_let_go) {
    Peer peer(server.port());
    peer.wire().send(close_frame(1000));
    const Answers answers = peer.read_to_the_end();  // the end of the server's half
    EXPECT_EQ(answers.closes, std::vector<std::uint16_t>{1000});
    // After close_timeout the socket is gone: what we send is answered with RST, which a second read sees.
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    bool gone = false;
    while (!gone && std::chrono::steady_clock::now() < deadline) {
        std::this_thread::yield();
        gone = !peer.wire().is_connected();
    }
    EXPECT_TRUE(gone);
    count(gone);
}

}  // namespace
}  // namespace sluice::conformance::ws
