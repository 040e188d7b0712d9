// The server over real sockets: what a client sees.
#include "sluice/http/server.hpp"

#include <string>

#include <gtest/gtest.h>

#include "sluice/core/json/node.hpp"
#include "sluice/http/server_fixture_test.hpp"
#include "sluice/net/acceptor.hpp"

namespace sluice::http {
namespace {

using testing::HttpAnswer;
using testing::TcpPeer;

class HttpServer : public TestServer {};

TEST_F(HttpServer, answers_with_length_date_and_request_id) {
    const HttpAnswer answer = exchange(get("/hello"));
    EXPECT_EQ(answer.status, 200U);
    EXPECT_EQ(answer.body, "hello");
    EXPECT_EQ(answer.headers.at("content-length"), "5");
    EXPECT_EQ(answer.headers.at("connection"), "keep-alive");
    EXPECT_EQ(answer.headers.at("x-request-id").size(), 32U);
    EXPECT_TRUE(answer.headers.contains("date"));
}

TEST_F(HttpServer, serves_many_requests_on_one_connection) {
    TcpPeer peer(port());
    for (int i = 0; i < 50; ++i) {
        peer.send(get("/orders/o-" + std::to_string(i)));
        EXPECT_EQ(peer.read_answer().body, "o-" + std::to_string(i));
    }
}

TEST_F(HttpServer, answers_pipelined_requests_in_order) {
    std::string requests;
    for (int i = 0; i < 200; ++i)
        requests += i % 3 == 0 ? post("/orders", R"({"article":"A","quantity":)" + std::to_string(i) + "}")
                               : get("/orders/o-" + std::to_string(i));
    for (const std::size_t piece : {requests.size(), std::size_t{7}}) {
        TcpPeer peer(port());
        peer.send_in_pieces(requests, piece);
        for (int i = 0; i < 200; ++i) {
            const std::string expected =
                i % 3 == 0 ? R"({"article":"A","quantity":)" + std::to_string(i) + "}" : "o-" + std::to_string(i);
            ASSERT_EQ(peer.read_answer().body, expected);
        }
    }
}

TEST_F(HttpServer, reads_a_request_that_comes_byte_by_byte) {
    TcpPeer peer(port());
    peer.send_in_pieces(post("/orders", R"({"article":"A","quantity":3})"), 1);
    EXPECT_EQ(peer.read_answer().status, 201U);
}

TEST_F(HttpServer, closes_when_asked_and_after_http_1_0) {
    for (const std::string& request :
         {get("/hello", "Connection: close\r\n"), std::string("GET /hello HTTP/1.0\r\n\r\n"),
          std::string("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")}) {
        TcpPeer peer(port());
        peer.send(request);
        const HttpAnswer answer = peer.read_answer();
        EXPECT_EQ(answer.status, 200U);
        EXPECT_EQ(answer.headers.at("connection"), "close");
        EXPECT_EQ(peer.read_until_closed(), "");
    }
}

TEST_F(HttpServer, answers_head_without_a_body) {
    TcpPeer peer(port());
    peer.send("HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n" + get("/orders/next"));
    const HttpAnswer answer = peer.read_answer(true);
    EXPECT_EQ(answer.status, 200U);
    EXPECT_EQ(answer.headers.at("content-length"), "5");
    EXPECT_EQ(peer.read_answer().body, "next");
}

TEST_F(HttpServer, names_the_path_of_what_is_wrong_in_a_body) {
    const HttpAnswer answer = exchange(post("/orders", R"({"article":"A","quantity":"three"})"));
    EXPECT_EQ(answer.status, 400U);
    EXPECT_EQ(answer.headers.at("content-type"), "application/problem+json");
    const auto document = core::json::parse(answer.body);
    ASSERT_TRUE(document.has_value()) << answer.body;
    EXPECT_EQ(document->root().find("detail")->string(), "$.quantity: expected an integer, found a string");
    EXPECT_EQ(document->root().find("request_id")->string(), answer.headers.at("x-request-id"));
    EXPECT_EQ(exchange(post("/orders", "{\"article\":")).status, 400U);
    EXPECT_EQ(exchange(post("/orders", "")).status, 400U);
    EXPECT_EQ(exchange(post("/orders", R"({"article":"A","article":"B","quantity":1})")).status, 400U);
    EXPECT_EQ(exchange(post("/orders", "{}", "Content-Type: text/plain\r\n")).status, 415U);
}

TEST_F(HttpServer, a_refused_body_does_not_harm_the_next_request) {
    TcpPeer peer(port());
    peer.send(post("/orders", "no json") + get("/hello"));
    EXPECT_EQ(peer.read_answer().status, 400U);
    EXPECT_EQ(peer.read_answer().body, "hello");
}

TEST_F(HttpServer, reads_chunked_bodies_and_what_follows_them) {
    const std::string chunked =
        "POST /orders HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        "e\r\n{\"article\":\"A\"\r\n10;x=y\r\n,   \"quantity\":3\r\n1\r\n}\r\n0\r\n\r\n";
    for (const std::size_t piece : {std::size_t{4'096}, std::size_t{1}}) {
        TcpPeer peer(port());
        peer.send_in_pieces(chunked + get("/hello"), piece);
        EXPECT_EQ(peer.read_answer().body, R"({"article":"A","quantity":3})");
        EXPECT_EQ(peer.read_answer().body, "hello");
    }
}

TEST_F(HttpServer, ends_a_connection_whose_chunks_are_malformed) {
    TcpPeer peer(port());
    peer.send("POST /orders HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n" +
              get("/hello"));
    const HttpAnswer answer = peer.read_answer();
    EXPECT_EQ(answer.status, 400U);
    EXPECT_EQ(answer.headers.at("connection"), "close");
    peer.shutdown_write();
    EXPECT_EQ(peer.read_until_closed(), "");
}

TEST_F(HttpServer, refuses_a_malformed_head_and_answers_nothing_behind_it) {
    TcpPeer peer(port());
    peer.send(get("/hello") +
              "GET /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" +
              get("/orders/smuggled"));
    EXPECT_EQ(peer.read_answer().status, 200U);
    const HttpAnswer refused = peer.read_answer();
    EXPECT_EQ(refused.status, 400U);
    EXPECT_NE(refused.body.find("Content-Length and Transfer-Encoding together"), std::string::npos);
    peer.shutdown_write();
    EXPECT_EQ(peer.read_until_closed(), "");
}

TEST_F(HttpServer, unknown_paths_and_methods_say_what_there_is) {
    const HttpAnswer missing = exchange(get("/nothing"));
    EXPECT_EQ(missing.status, 404U);
    EXPECT_NE(missing.body.find("there is nothing at /nothing; the documentation lists the routes"), std::string::npos);
    const HttpAnswer wrong = exchange(post("/hello", ""));
    EXPECT_EQ(wrong.status, 405U);
    EXPECT_EQ(wrong.headers.at("allow"), "GET, HEAD");
    EXPECT_EQ(exchange("DELETE /orders/o-1 HTTP/1.1\r\nHost: a\r\n\r\n").body, "o-1");
}

TEST_F(HttpServer, options_lists_the_methods_of_a_path_and_of_the_server) {
    const HttpAnswer path = exchange("OPTIONS /orders/o-1 HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(path.status, 204U);
    EXPECT_EQ(path.headers.at("allow"), "DELETE, GET, HEAD");
    const HttpAnswer all = exchange("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(all.status, 204U);
    EXPECT_EQ(all.headers.at("allow"), "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT");
}

TEST_F(HttpServer, a_failing_handler_is_answered_logged_and_forgotten) {
    TcpPeer peer(port());
    peer.send(get("/boom") + get("/conflict") + get("/hello"));
    const HttpAnswer failed = peer.read_answer();
    EXPECT_EQ(failed.status, 500U);
    EXPECT_EQ(failed.body.find("the reason for the log"), std::string::npos);
    EXPECT_TRUE(log->contains("the reason for the log"));
    EXPECT_TRUE(log->contains(failed.headers.at("x-request-id")));
    EXPECT_EQ(peer.read_answer().status, 409U);
    EXPECT_EQ(peer.read_answer().status, 200U);
}

TEST_F(HttpServer, sends_large_answers_whole) {
    TcpPeer peer(port());
    peer.send(get("/large") + get("/hello"));
    EXPECT_EQ(peer.read_answer().body.size(), 8U * 1024 * 1024);
    EXPECT_EQ(peer.read_answer().body, "hello");
}

TEST_F(HttpServer, asks_for_the_body_of_a_client_that_waits_for_it) {
    const std::string body = R"({"article":"A","quantity":3})";
    TcpPeer peer(port());
    peer.send("POST /orders HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: " +
              std::to_string(body.size()) + "\r\n\r\n");
    EXPECT_EQ(peer.read(25), "HTTP/1.1 100 Continue\r\n\r\n");
    peer.send(body);
    EXPECT_EQ(peer.read_answer().status, 201U);
    peer.send("POST /orders HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: " +
              std::to_string(body.size()) + "\r\n\r\n" + body);
    EXPECT_EQ(peer.read_answer().status, 201U) << "a body that is here already needs no invitation";
}

TEST_F(HttpServer, hands_over_the_socket_with_what_came_in_the_same_packet) {
    TcpPeer peer(port());
    peer.send(get("/live", "Connection: Upgrade\r\nUpgrade: echo\r\n") + "first frame");
    const HttpAnswer answer = peer.read_answer();
    EXPECT_EQ(answer.status, 101U);
    EXPECT_EQ(answer.headers.at("connection"), "Upgrade");
    EXPECT_EQ(answer.headers.at("upgrade"), "echo");
    EXPECT_EQ(peer.read_until_closed(), "took:first frame");
}

TEST_F(HttpServer, an_upgrade_that_is_refused_leaves_http_in_place) {
    TcpPeer peer(port());
    peer.send(get("/live") + get("/hello"));
    EXPECT_EQ(peer.read_answer().status, 426U);
    EXPECT_EQ(peer.read_answer().body, "hello");
    EXPECT_EQ(exchange("GET /live HTTP/1.0\r\nUpgrade: echo\r\n\r\n").status, 400U);
    EXPECT_EQ(exchange("GET /live HTTP/1.1\r\nHost: a\r\nUpgrade: echo\r\nContent-Length: 1\r\n\r\nx").status, 400U);
    EXPECT_EQ(exchange(post("/live", "", "Upgrade: echo\r\n")).status, 405U);
}

TEST_F(HttpServer, only_pages_of_allowed_origins_may_change_things) {
    settings.origins = OriginPolicy({"https://page.example"});
    const std::string body = R"({"article":"A","quantity":3})";
    EXPECT_EQ(exchange(post("/orders", body)).status, 201U);
    EXPECT_EQ(exchange(post("/orders", body, "Origin: https://evil.example\r\n")).status, 403U);
    EXPECT_EQ(exchange(post("/orders", body, "Origin: null\r\n")).status, 403U);
    EXPECT_EQ(exchange(post("/orders", body, "Origin: http://shop.example\r\n")).status, 201U);
    const HttpAnswer listed = exchange(post("/orders", body, "Origin: https://page.example\r\n"));
    EXPECT_EQ(listed.status, 201U);
    EXPECT_EQ(listed.headers.at("access-control-allow-origin"), "https://page.example");
    EXPECT_EQ(listed.headers.at("vary"), "Origin");
    const HttpAnswer read = exchange(get("/hello", "Origin: https://evil.example\r\n"));
    EXPECT_EQ(read.status, 200U);
    EXPECT_FALSE(read.headers.contains("access-control-allow-origin"));
    EXPECT_EQ(exchange(get("/live", "Origin: https://evil.example\r\nUpgrade: echo\r\n")).status, 403U);
    EXPECT_EQ(exchange(get("/live", "Origin: https://page.example\r\nUpgrade: echo\r\n")).status, 101U);
}

TEST_F(HttpServer, a_preflight_is_granted_to_listed_pages_only) {
    settings.origins = OriginPolicy({"https://page.example"});
    const auto preflight = [&](const std::string& origin) {
        return exchange("OPTIONS /orders HTTP/1.1\r\nHost: a\r\nOrigin: " + origin +
                        "\r\nAccess-Control-Request-Method: POST\r\n\r\n");
    };
    const HttpAnswer granted = preflight("https://page.example");
    EXPECT_EQ(granted.status, 204U);
    EXPECT_EQ(granted.headers.at("access-control-allow-origin"), "https://page.example");
    EXPECT_EQ(granted.headers.at("access-control-allow-methods"), "POST");
    const HttpAnswer denied = preflight("https://evil.example");
    EXPECT_FALSE(denied.headers.contains("access-control-allow-origin"));
    EXPECT_FALSE(denied.headers.contains("access-control-allow-methods"));
}

TEST_F(HttpServer, a_taken_port_is_one_line_that_names_it) {
    const std::uint16_t taken = port();
    Server second("second", shards, Router(), {}, core::Logger(), metrics);
    try {
        second.listen("127.0.0.1", taken);
        FAIL() << "two servers share a port";
    } catch (const net::Error& error) {
        EXPECT_EQ(error.kind(), net::ErrorKind::address_in_use);
        EXPECT_NE(std::string(error.what()).find(std::to_string(taken)), std::string::npos) << error.what();
        EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    }
}

TEST_F(HttpServer, serves_every_connection_of_many_at_once) {
    std::vector<std::unique_ptr<TcpPeer>> peers;
    for (int i = 0; i < 200; ++i)
        peers.push_back(std::make_unique<TcpPeer>(port()));
    for (auto& peer : peers)
        peer->send(get("/hello"));
    for (auto& peer : peers)
        EXPECT_EQ(peer->read_answer().body, "hello");
}

}  // namespace
}  // namespace sluice::http
