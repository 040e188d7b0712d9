// What RFC 9110 and 9112 say about connections, expectations, limits, methods and answers, over sockets.
#include <chrono>
#include <regex>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sluice/testing/tcp_peer.hpp"
#include "tests/conformance/echo_server.hpp"
#include "tests/conformance/http/exchange.hpp"
#include "tests/conformance/tally.hpp"

namespace sluice::conformance::http {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using testing::TcpPeer;

std::string get(const std::string& fields = {}, const std::string& path = "/hello") {
    return "GET " + path + " HTTP/1.1\r\nHost: shop.example\r\n" + fields + "\r\n";
}
std::string post(const std::string& body, const std::string& fields = {}) {
    return fmt::format("POST /echo-body HTTP/1.1\r\nHost: shop.example\r\nContent-Length: {}\r\n{}\r\n{}", body.size(),
                       fields, body);
}

class HttpConnection : public ::testing::Test {
protected:
    static void SetUpTestSuite() { server = new EchoServer({}, {}); }
    static void TearDownTestSuite() {
        delete server;
        server = nullptr;
    }
    static void check(const std::string& group, bool passed, const std::string& what) {
        EXPECT_TRUE(passed) << what;
        Tally::instance().count("server: HTTP " + group, passed);
    }
    /// The statuses of everything that comes back.
    static std::string statuses(const std::string& bytes, std::size_t piece = kWhole) {
        std::string all;
        for (const Answer& answer : exchange(server->port(), bytes, piece))
            all += fmt::format("{}{}", all.empty() ? "" : " ", answer.status);
        return all;
    }

    static EchoServer* server;
};
EchoServer* HttpConnection::server = nullptr;

TEST_F(HttpConnection, stays_or_ends_as_version_and_field_say) {
    const std::string last = get("Connection: close\r\n");
    const std::vector<std::pair<std::string, std::string>> rules = {
        {get() + last, "200 200"},
        {get("Connection: keep-alive\r\n") + last, "200 200"},
        {get("Connection: Keep-Alive\r\nKeep-Alive: timeout=5\r\n") + last, "200 200"},
        {get("Connection: TE\r\n") + last, "200 200"},
        {get("Connection: close\r\n") + last, "200"},
        {get("Connection: CLOSE\r\n") + last, "200"},
        {get("Connection: keep-alive, close\r\n") + last, "200"},
        {get("Connection: TE\r\nConnection: close\r\n") + last, "200"},
        {"GET /hello HTTP/1.0\r\n\r\n" + last, "200"},
        {"GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + last, "200"},
        {get({}, "/nowhere") + last, "404 200"},
        {"DELETE /hello HTTP/1.1\r\nHost: a\r\n\r\n" + last, "405 200"},
        {post("body") + "\r\n" + last, "200 200"},
        {post("body") + "\r\n\r\n" + last, "200 400"},
        {post("body") + " " + last, "200 400"},
    };
    for (const auto& [bytes, expected] : rules)
        for (const std::size_t piece : {kWhole, std::size_t{1}})
            check("connection", statuses(bytes, piece) == expected, bytes);
}

TEST_F(HttpConnection, an_empty_line_behind_a_body_does_not_begin_the_next_request) {
    TcpPeer peer(server->port());
    for (int i = 0; i < 3; ++i) {
        peer.send(post("body") + "\r\n");
        check("connection", peer.read_answer().body == "body", "an empty line");
    }
}

TEST_F(HttpConnection, pipelined_requests_are_answered_in_their_order) {
    constexpr int kRequests = 100;
    std::string bytes;
    for (int i = 0; i < kRequests; ++i)
        bytes += post(fmt::format("body {}", i), i + 1 == kRequests ? "Connection: close\r\n" : "");
    for (const std::size_t piece : {kWhole, std::size_t{1}, std::size_t{1'000}}) {
        const auto answers = exchange(server->port(), bytes, piece);
        bool in_order = answers.size() == kRequests;
        for (std::size_t i = 0; in_order && i < answers.size(); ++i)
            in_order = answers[i].body == fmt::format("body {}", i);
        check("pipelining", in_order, fmt::format("{} answers in pieces of {}", answers.size(), piece));
    }
}

TEST_F(HttpConnection, a_body_that_looks_like_a_request_is_a_body) {
    const std::string hidden = get({}, "/hidden");
    for (const std::string& body : {hidden, "\r\n" + hidden, "0\r\n\r\n" + hidden}) {
        const auto answers = exchange(server->port(), post(body, "Connection: close\r\n"), kWhole);
        check("smuggling", answers.size() == 1 && answers[0].body == body, body);
    }
    // The classic pairs: whoever believes the other field sees another request.
    const std::string both =
        "POST /echo-body HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n";
    check("smuggling", statuses(both + "0\r\n\r\nG" + get()) == "400", "CL.TE");
    check("smuggling",
          statuses("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding : chunked\r\n\r\n"
                   "5c\r\n" +
                   hidden + "\r\n0\r\n\r\n") == "400",
          "TE.CL");
    check("smuggling",
          statuses("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" + get("Connection: close\r\n")) ==
              "404 200",
          "a GET with a body");
    check("smuggling",
          statuses("POST /echo-body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
                   "Content-Length: 50\r\n\r\n" +
                   hidden) == "400",
          "a length in a trailer");
    check("smuggling",
          statuses("POST /echo-body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a=\"\r\nhello"
                   "\"\r\n0\r\n\r\n" +
                   hidden) == "400",
          "a line end in a quoted extension");
}

TEST_F(HttpConnection, a_client_that_expects_it_is_invited_before_its_body) {
    TcpPeer peer(server->port());
    peer.send("POST /echo-body HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    check("Expect", peer.read(25) == "HTTP/1.1 100 Continue\r\n\r\n", "an interim answer");
    peer.send("body");
    check("Expect", peer.read_answer().body == "body", "then the answer");
    TcpPeer empty(server->port());
    empty.send(get("Expect: 100-continue\r\n"));
    check("Expect", empty.read_answer().status == 200, "no body, no invitation");
    TcpPeer old(server->port());
    old.send("POST /echo-body HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    old.send("body");
    check("Expect", old.read_answer().status == 200, "HTTP/1.0 knows no interim answers");
    TcpPeer chunked(server->port());
    chunked.send("POST /echo-body HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n");
    check("Expect", chunked.read(25) == "HTTP/1.1 100 Continue\r\n\r\n", "before chunks");
    chunked.send("4\r\nbody\r\n0\r\n\r\n");
    check("Expect", chunked.read_answer().body == "body", "then the answer");
    check("Expect", statuses("POST / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\nContent-Length: 4\r\n\r\n") == "417",
          "an unknown expectation");
    check("Expect",
          statuses("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2000000\r\n\r\n") == "413",
          "no invitation to a body that is too large");
}

TEST_F(HttpConnection, sizes_are_taken_up_to_their_limit_and_refused_beyond) {
    constexpr std::size_t kBody = 1024 * 1024;
    const std::string close = "Connection: close\r\n";
    check("limits", statuses(post(std::string(kBody, 'b'), close)) == "200", "the largest body");
    check("limits", statuses(post(std::string(kBody + 1, 'b'), close)) == "413", "a byte more");
    const auto chunked = [](std::size_t size) {
        return "POST /echo-body HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n" +
               fmt::format("{:x}\r\n", size) + std::string(size, 'b') + "\r\n0\r\n\r\n";
    };
    check("limits", statuses(chunked(kBody)) == "200", "the largest body in a chunk");
    check("limits", statuses(chunked(kBody + 1)) == "413", "a byte more in a chunk");
    std::string fields;
    for (int i = 0; i < 98; ++i)
        fields += fmt::format("X-{}: a\r\n", i);
    check("limits", statuses(get(fields + close)) == "200", "100 fields");
    check("limits", statuses(get(fields + "X-A: a\r\n" + close)) == "431", "101 fields");
    std::string hundred_thousand;
    for (int i = 0; i < 100'000; ++i)
        hundred_thousand += "A:b\r\n";
    check("limits", statuses(get(hundred_thousand)) == "431", "100,000 fields");
    check("limits", statuses(get("X-A: " + std::string(33 * 1024, 'a') + "\r\n")) == "431", "a large field");
    check("limits", statuses(get({}, "/" + std::string(9'000, 'a'))) == "414", "a long target");
    check("limits",
          statuses("POST /echo-body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;" +
                   std::string(64 * 1024, 'x') + "\r\n") == "400",
          "an extension of 64 KiB");
    std::string trailers;
    for (int i = 0; i < 200; ++i)
        trailers += fmt::format("X-Trailer-{}: abcdefghijklmnop\r\n", i);
    check("limits",
          statuses("POST /echo-body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + trailers +
                   "\r\n") == "431",
          "6 KiB of trailers");
}

TEST_F(HttpConnection, head_is_get_without_the_body) {
    const std::string request = "HEAD /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    TcpPeer peer(server->port());
    peer.send(request);
    const std::string raw = peer.read_until_closed();
    const auto answer = split_answers(raw, true).at(0);
    check("methods", raw.ends_with("\r\n\r\n") && answer.status == 200 && answer.fields.at("content-length") == "5",
          "HEAD");
    const auto options = exchange(server->port(), "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", kWhole);
    check("methods",
          options.at(0).status == 204 && options[0].fields.contains("allow") &&
              !options[0].fields.contains("content-length"),
          "OPTIONS *");
    const auto wrong =
        exchange(server->port(), "DELETE /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", kWhole);
    check("methods", wrong.at(0).status == 405 && wrong[0].fields.at("allow").contains("GET"), "405 with Allow");
    check("methods", statuses("BREW /hello HTTP/1.1\r\nHost: a\r\n\r\n") == "501", "an unknown method");
}

TEST_F(HttpConnection, every_answer_is_dated_and_nothing_reflected_splits_it) {
    const std::regex date(
        "(Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-3][0-9] [A-Z][a-z]{2} 20[0-9]{2} [0-2][0-9]:[0-5][0-9]:[0-6][0-9] GMT");
    for (const std::string& request :
         {get("Connection: close\r\n"), get("Connection: close\r\n", "/nowhere"), std::string("broken\r\n"),
          get("Connection: close\r\n", "/a%0d%0aX-Injected:%20b"), get("Connection: close\r\n", "/%e2%80%a8%22%3cb%3e"),
          get("Connection: close\r\nX-Request-Id: a\tb\r\n")}) {
        const auto answers = exchange(server->port(), request, kWhole);
        const bool sound = answers.size() == 1 && std::regex_match(answers[0].fields.at("date"), date) &&
                           !answers[0].fields.contains("x-injected") && answers[0].fields.contains("x-request-id");
        check("answers", sound, request);
    }
}

/// Slow senders (S16), with short periods.
TEST(HttpSlowPeers, are_answered_408_or_closed_in_silence) {
    sluice::http::ServerSettings settings;
    settings.head_time = 500ms;
    settings.body_time = 500ms;
    settings.idle_time = 500ms;
    const EchoServer server(settings, {});
    const std::vector<std::pair<std::string, unsigned>> rules = {
        {"G", 408},
        {"\r", 408},
        {"GET /hello HTTP/1.1\r\nHost: a\r\nX-A", 408},
        {"GET /hello HTTP/1.1\r\nHost: a\r\n\r", 408},
        {"POST /echo-body HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhell", 408},
        {"POST /echo-body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", 408},
        {"POST /echo-body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-A: b\r\n", 408},
        {"", 0},
        {get() + "\r\n", 200},
        {get(), 200},
    };
    for (const auto& [bytes, status] : rules) {
        const auto answers = exchange(server.port(), bytes, kWhole);
        const bool passed = status == 0 ? answers.empty() : answers.size() == 1 && answers[0].status == status;
        EXPECT_TRUE(passed) << bytes;
        Tally::instance().count("server: HTTP slow peers", passed);
    }
}

}  // namespace
}  // namespace sluice::conformance::http
