// The table of RFC 9112 over sockets, against the server of this process and against the example as a process of its
// own: each request whole, in pieces and behind a valid one, with two valid ones behind it.
#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sluice/core/random.hpp"
#include "sluice/http/test_chunk_cases.hpp"
#include "sluice/http/test_head_cases.hpp"
#include "sluice/testing/tcp_peer.hpp"
#include "tests/conformance/echo_server.hpp"
#include "tests/conformance/http/demo_process.hpp"
#include "tests/conformance/http/exchange.hpp"
#include "tests/conformance/tally.hpp"

namespace sluice::conformance::http {
namespace {

namespace cases = sluice::http::test_cases;

struct Group {
    const char* name;
    std::vector<cases::HeadCase> (*make)();
};
constexpr std::array<Group, 6> kGroups{{{"request line", cases::request_lines},
                                        {"targets and methods", cases::targets_and_methods},
                                        {"header syntax", cases::fields},
                                        {"Host", cases::hosts},
                                        {"Content-Length", cases::lengths},
                                        {"Transfer-Encoding", cases::encodings}}};

std::string lower(std::string text) {
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

/// The value of a field of a head that is taken, or nothing.
std::string field_of(const std::string& head, const std::string& name) {
    const std::string text = lower(head);
    const std::size_t at = text.find("\r\n" + name + ":");
    if (at == std::string::npos) return {};
    const std::size_t begin = text.find_first_not_of(" \t", at + name.size() + 3);
    return text.substr(begin, text.find_first_of(" \t\r", begin) - begin);
}

/// The head with the body it announces, and what has to come of it.
std::pair<std::string, Verdict> complete(const cases::HeadCase& c) {
    Verdict verdict{.refused = c.status};
    std::string request = c.text;
    if (c.status != 0) return {request, verdict};
    const std::string length = field_of(c.text, "content-length");
    if (field_of(c.text, "transfer-encoding") == "chunked") request += "0\r\n\r\n";
    if (!length.empty()) {
        if (length.size() > 6)
            verdict.refused = 413;
        else
            request += std::string(std::stoul(length), 'b');
    }
    const std::string line = c.text.substr(0, c.text.find("\r\n", 2));
    verdict.closes = line.ends_with("HTTP/1.0") || field_of(c.text, "connection") == "close";
    verdict.head_only = line.starts_with("HEAD ");
    return {request, verdict};
}

void record(const Target& target, const std::string& group, const std::string& name, const std::string& complaint) {
    EXPECT_EQ(complaint, "") << name;
    Tally::instance().count(fmt::format("{}: HTTP {}", target.name, group), complaint.empty());
}

void run_heads(const Target& target) {
    for (const Group& group : kGroups) {
        for (const cases::HeadCase& c : group.make()) {
            const auto [request, verdict] = complete(c);
            record(target, group.name, c.name, run_rule(target, request, verdict));
        }
    }
}

void run_chunks(const Target& target) {
    for (const cases::ChunkCase& c : cases::kChunkCases) {
        const std::string request =
            "POST /echo-body HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\n\r\n" +
            std::string(c.text);
        record(target, "chunked", std::string(c.name), run_rule(target, request, {.refused = c.refused}));
    }
}

/// Changes of a few bytes: whatever they make of a request, nothing hidden in it is answered as a request of its own.
void run_mutations(const Target& target, int rounds) {
    constexpr std::uint64_t kSeed = 2'026;
    core::Random random(kSeed);
    const std::string alphabet("\r\n\t \0:,;\"chunked059-_%/\x7f\xc3", 26);
    for (int round = 0; round < rounds; ++round) {
        std::string text = "POST /echo-body HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 5\r\n\r\n";
        if (round % 2 == 1)
            text = "POST /echo-body HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\n\r\n";
        for (std::uint64_t n = 1 + random.below(3); n > 0; --n) {
            const auto at = static_cast<std::size_t>(random.below(text.size()));
            const char c = alphabet[random.below(alphabet.size())];
            random.below(2) == 0 ? text[at] = c : *text.insert(text.begin() + static_cast<std::ptrdiff_t>(at), c);
        }
        std::string complaint;
        try {
            const std::string behind = round % 2 == 1 ? "5\r\nhello\r\n0\r\n\r\n" : "hello";
            testing::TcpPeer peer(target.port);
            peer.send(text + behind + good_request(target, "Connection: close\r\n"));
            peer.shutdown_write();
            const auto answers = split_answers(peer.read_until_closed());
            // One answer per request, and after a refusal none: a refused head takes the connection with it. None at
            // all only if the length has become more than was sent.
            const bool may_wait = answers.empty() && round % 2 == 0;
            const bool ends = !answers.empty() && answers.back().fields.at("connection") == "close";
            if (answers.size() > 2 || (!ends && !may_wait)) complaint = fmt::format("{} answers", answers.size());
        } catch (const std::exception& error) {
            complaint = error.what();
        }
        record(target, "mutated framing", fmt::format("seed {} round {}", kSeed, round), complaint);
    }
}

TEST(HttpTable, holds_over_sockets_against_the_server) {
    const EchoServer server({}, {});
    const Target target{server.port(), "server", "/hello"};
    run_heads(target);
    run_chunks(target);
    run_mutations(target, 2'000);
}

TEST(HttpTable, holds_over_sockets_against_the_example) {
    const char* const program = std::getenv("SLUICE_DEMO_BIN");
    ASSERT_NE(program, nullptr) << "SLUICE_DEMO_BIN names the example's program";
    DemoProcess demo(program);
    const Target target{demo.port(), "example", "/healthz"};
    run_heads(target);
    run_chunks(target);
    EXPECT_EQ(demo.stop(), 0);
}

/// What is taken arrives as the table says: the body, not only the number of answers.
TEST(HttpTable, bodies_in_chunks_arrive_as_they_were_sent) {
    const EchoServer server({}, {});
    for (const cases::ChunkCase& c : cases::kChunkCases) {
        if (c.refused != 0) continue;
        for (const std::size_t piece : {kWhole, std::size_t{1}, std::size_t{3}}) {
            const auto answers = exchange(server.port(),
                                          "POST /echo-body HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n"
                                          "Transfer-Encoding: chunked\r\n\r\n" +
                                              std::string(c.text),
                                          piece);
            const bool passed = answers.size() == 1 && answers[0].status == 200 && answers[0].body == c.body;
            EXPECT_TRUE(passed) << c.name;
            Tally::instance().count("server: HTTP bodies", passed);
        }
    }
}

}  // namespace
}  // namespace sluice::conformance::http
