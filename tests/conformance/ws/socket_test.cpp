// Every rule against a server over sockets: as its table writes it, in one write, and byte by byte.
#include <memory>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/conformance/echo_server.hpp"
#include "tests/conformance/tally.hpp"
#include "tests/conformance/ws/peer.hpp"

namespace sluice::conformance::ws {
namespace {

constexpr std::size_t kByteByByteUpTo = 600;
constexpr int kEchoes = 1'000;

class WebSocketServer : public ::testing::Test {
protected:
    static void SetUpTestSuite() { server = new EchoServer({}, generous_hub()); }
    static void TearDownTestSuite() {
        delete server;
        server = nullptr;
    }

    static std::string in_every_way(const Rule& rule) {
        if (auto bad = run_rule(rule, rule.writes, server->port()); !bad.empty()) return bad;
        const std::string bytes = whole(rule);
        if (rule.prompt || bytes.size() > kByteByByteUpTo) return {};
        if (rule.writes.size() > 1) {
            if (auto bad = run_rule(rule, {bytes}, server->port()); !bad.empty()) return bad + " (in one write)";
        }
        auto bad = run_rule(rule, in_pieces(bytes, 1), server->port());
        return bad.empty() ? bad : bad + " (byte by byte)";
    }
    static void run_all(const Rules& rules) {
        for (const Rule& rule : rules) {
            const std::string complaint = in_every_way(rule);
            EXPECT_EQ(complaint, "");
            Tally::instance().count("server: " + rule.group, complaint.empty());
        }
    }
    static void count(const std::string& name, bool passed) { Tally::instance().count("server: own " + name, passed); }

    static EchoServer* server;
};
EchoServer* WebSocketServer::server = nullptr;

TEST_F(WebSocketServer, frames_pings_reserved_bits_and_opcodes_follow_the_table) {
    run_all(framing_rules());
}
TEST_F(WebSocketServer, fragments_follow_the_table) {
    run_all(fragment_rules());
}
TEST_F(WebSocketServer, text_follows_the_table) {
    run_all(utf8_rules());
}
TEST_F(WebSocketServer, closing_follows_the_table) {
    run_all(close_rules());
}
TEST_F(WebSocketServer, large_messages_follow_the_table) {
    run_all(size_rules());
}
TEST_F(WebSocketServer, our_own_rules_follow_the_table) {
    run_all(own_rules());
}

/// The rest of the stream is never sent: the failure has to come from what has been said.
TEST_F(WebSocketServer, a_broken_rule_is_answered_at_the_byte_that_breaks_it) {
    for (const Rule& rule : all_small_rules()) {
        if (rule.decided == 0) continue;
        const std::string complaint = run_rule(rule, {whole(rule).substr(0, rule.decided)}, server->port());
        EXPECT_EQ(complaint, "");
        count("failing at once", complaint.empty());
    }
}

/// Groups 9.7 and 9.8: a thousand messages, each sent when the one before has come back.
TEST_F(WebSocketServer, a_thousand_messages_in_turn_come_back_whole) {
    for (const int kind : {1, 2}) {
        for (const std::size_t size : {0UL, 16UL, 64UL, 256UL, 1024UL, 4096UL}) {
            Peer peer(server->port());
            const std::string payload(size, kind == 1 ? '*' : '\xfe');
            const std::string frame = masked_frame(static_cast<std::uint8_t>(kind), payload);
            int good = 0;
            for (int i = 0; i < kEchoes; ++i) {
                peer.wire().send(frame);
                const testing::WsFrame answer = peer.read_frame();
                good += answer.opcode == kind && answer.fin && answer.payload == payload ? 1 : 0;
            }
            peer.wire().send(close_frame(1000));
            const bool passed = good == kEchoes && peer.read_to_the_end().closes == std::vector<std::uint16_t>{1000};
            EXPECT_TRUE(passed) << size;
            Tally::instance().count(fmt::format("server: WebSocket 9.{}", 6 + kind), passed);
        }
    }
}

/// RFC 6455 section 5.5.3: of pings that have not been answered only the newest has to be.
TEST_F(WebSocketServer, the_newest_of_many_pings_in_one_write_is_answered) {
    for (const int pings : {16, 17, 40, 200}) {
        Peer peer(server->port());
        std::string burst;
        for (int i = 1; i <= pings; ++i)
            burst += masked_frame(9, fmt::format("{}", i));
        peer.wire().send(burst + close_frame(1000));
        const Answers answers = peer.read_to_the_end();
        const bool passed = !answers.pongs.empty() && answers.pongs.back() == pong(fmt::format("{}", pings));
        EXPECT_TRUE(passed) << pings << " pings, " << answers.pongs.size() << " pongs";
        count("pings at once", passed);
    }
}

TEST_F(WebSocketServer, every_rule_holds_for_many_connections_in_step) {
    std::vector<std::unique_ptr<Peer>> peers;
    for (int i = 0; i < 64; ++i)
        peers.push_back(std::make_unique<Peer>(server->port()));
    const std::string frame = masked_frame(1, "shared");
    for (std::size_t at = 0; at < frame.size(); ++at)
        for (auto& peer : peers)
            peer->wire().send(frame.substr(at, 1));
    for (auto& peer : peers) {
        EXPECT_EQ(peer->read_frame().payload, "shared");
        peer->wire().send(close_frame(1001));
        EXPECT_EQ(peer->read_to_the_end().closes, std::vector<std::uint16_t>{1001});
    }
}

/// The limits as shipped: 64 KiB in 256 fragments.
class DefaultLimits : public ::testing::Test {
protected:
    void expect(const std::vector<std::string>& writes, const std::vector<Seen>& before, std::uint16_t code) {
        Rule rule = failing("limits", fmt::format("limit {}", ++number_), writes, before, code);
        const std::string complaint = run_rule(rule, writes, server_.port());
        EXPECT_EQ(complaint, "");
        Tally::instance().count("server: own default limits", complaint.empty());
    }

    EchoServer server_{{}, {}};
    int number_ = 0;
};

TEST_F(DefaultLimits, messages_over_a_limit_are_1009_before_they_are_read) {
    const std::string most(64 * 1024, 'm');
    expect({masked_frame(1, most), close_frame(1000)}, {text(most)}, 1000);
    expect({header(0x81, most.size() + 1, 8)}, {}, 1009);
    expect({header(0x82, 1UL << 40, 8)}, {}, 1009);
    expect({masked_frame(2, most, false), header(0x80, 1, 0)}, {}, 1009);
    expect({masked_frame(2, most, false), masked_frame(0, ""), close_frame(1000)}, {binary(most)}, 1000);
    expect({masked_frame(1, "a"), masked_frame(1, std::string(32 * 1024, 'b'), false), header(0x80, 32 * 1024 + 1, 2)},
           {text("a")}, 1009);
}

TEST_F(DefaultLimits, too_many_fragments_are_1009_however_small) {
    std::vector<std::string> parts{masked_frame(1, "", false)};
    for (int i = 1; i < 255; ++i)
        parts.push_back(masked_frame(0, "", false));
    auto last = parts;
    last.push_back(masked_frame(0, "."));
    last.push_back(close_frame(1000));
    expect({join(last)}, {text(".")}, 1000);
    parts.push_back(masked_frame(0, "", false));
    parts.push_back(masked_frame(0, "."));
    expect({join(parts)}, {}, 1009);
}

TEST_F(DefaultLimits, a_flood_is_closed_with_4300) {
    const std::string flood = join(std::vector<std::string>(2'000, masked_frame(10, "")));
    expect({flood}, {}, 4300);
}

}  // namespace
}  // namespace sluice::conformance::ws
