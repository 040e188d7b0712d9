// The server's limits and its end, over real sockets.
#include <chrono>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "sluice/http/server_fixture_test.hpp"

namespace sluice::http {
namespace {

using namespace std::chrono_literals;
using testing::HttpAnswer;
using testing::TcpPeer;

class HttpServerLimits : public TestServer {
protected:
    // The same name and labels are the series that the server made.
    double counted(const std::string& name) { return metrics.counter(name, "", {{"listener", "test"}}).value(); }
    core::Gauge gauge(const std::string& name) { return metrics.gauge(name, "", {{"listener", "test"}}); }

    template <class Condition>
    void wait_until(Condition holds) {
        const auto deadline = std::chrono::steady_clock::now() + 10s;
        while (!holds()) {
            ASSERT_LT(std::chrono::steady_clock::now(), deadline);
            std::this_thread::yield();
        }
    }
};

TEST_F(HttpServerLimits, a_body_over_the_limit_is_refused_before_it_is_read) {
    settings.body_limit = 1'000;
    TcpPeer peer(port());
    peer.send("POST /orders HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n");
    const HttpAnswer answer = peer.read_answer();
    EXPECT_EQ(answer.status, 413U);
    EXPECT_EQ(answer.headers.at("connection"), "close");
    EXPECT_NE(answer.body.find("1001 bytes declared, at most 1000 are taken"), std::string::npos);
}

TEST_F(HttpServerLimits, a_client_that_waits_to_send_a_large_body_is_not_invited) {
    settings.body_limit = 1'000;
    TcpPeer peer(port());
    peer.send("POST /orders HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n");
    EXPECT_EQ(peer.read_answer().status, 413U);
}

TEST_F(HttpServerLimits, a_client_that_sends_on_after_413_reads_its_answer) {
    settings.body_limit = 1'000;
    TcpPeer peer(port());
    peer.send("POST /orders HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n" + std::string(2'000'000, 'x'));
    EXPECT_EQ(peer.read_answer().status, 413U);
}

TEST_F(HttpServerLimits, chunks_over_the_limit_are_refused) {
    settings.body_limit = 1'000;
    TcpPeer peer(port());
    peer.send("POST /orders HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1f4\r\n" + std::string(500, 'x') +
              "\r\n1f5\r\n");
    EXPECT_EQ(peer.read_answer().status, 413U);
}

TEST_F(HttpServerLimits, long_lines_and_large_heads_have_their_own_answers) {
    EXPECT_EQ(exchange("GET /" + std::string(9'000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n").status, 414U);
    EXPECT_EQ(exchange(get("/hello", "X-A: " + std::string(40'000, 'a') + "\r\n")).status, 431U);
    std::string many;
    for (int i = 0; i < 120; ++i)
        many += "X-" + std::to_string(i) + ": a\r\n";
    EXPECT_EQ(exchange(get("/hello", many)).status, 431U);
}

TEST_F(HttpServerLimits, a_head_that_trickles_in_is_ended_with_408) {
    settings.head_time = 150ms;
    TcpPeer peer(port());
    const std::string head = get("/hello", "X-A: " + std::string(10'000, 'a') + "\r\n");
    const auto begun = std::chrono::steady_clock::now();
    std::size_t at = 0;
    while (std::chrono::steady_clock::now() - begun < 300ms && at + 1 < head.size()) {
        peer.send(head.substr(at++, 1));
        std::this_thread::sleep_for(2ms);  // lint: allow sleep: the pace of the attacker is what is tested
    }
    const HttpAnswer answer = peer.read_answer();
    EXPECT_EQ(answer.status, 408U);
    EXPECT_EQ(answer.headers.at("connection"), "close");
    EXPECT_EQ(counted("sluice_http_timeouts_total"), 1);
}

TEST_F(HttpServerLimits, a_body_that_does_not_come_is_ended_with_408) {
    settings.body_time = 50ms;
    EXPECT_EQ(exchange("POST /orders HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n{").status, 408U);
    EXPECT_EQ(exchange("POST /orders HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{").status, 408U);
}

TEST_F(HttpServerLimits, silent_and_idle_connections_are_closed_without_a_word) {
    settings.head_time = 50ms;
    settings.idle_time = 50ms;
    TcpPeer silent(port());
    EXPECT_EQ(silent.read_until_closed(), "");
    TcpPeer idle(port());
    idle.send(get("/hello"));
    EXPECT_EQ(idle.read_answer().status, 200U);
    EXPECT_EQ(idle.read_until_closed(), "");
}

TEST_F(HttpServerLimits, a_handler_that_takes_too_long_is_cancelled_and_answered_504) {
    settings.request_time = 50ms;
    TcpPeer peer(port());
    peer.send(get("/slow") + get("/hello"));
    const HttpAnswer answer = peer.read_answer();
    EXPECT_EQ(answer.status, 504U);
    EXPECT_NE(answer.body.find("what it had not committed is undone"), std::string::npos);
    EXPECT_EQ(peer.read_answer().body, "hello");
    EXPECT_EQ(counted("sluice_http_timeouts_total"), 1);
}

TEST_F(HttpServerLimits, requests_over_the_limit_in_flight_are_shed_and_the_connection_stays) {
    settings.max_in_flight = 2;
    TcpPeer first(port());
    TcpPeer second(port());
    first.send(get("/gate"));
    second.send(get("/gate"));
    wait_until_at_gate(2);
    TcpPeer third(port());
    third.send(get("/hello"));
    const HttpAnswer shed = third.read_answer();
    EXPECT_EQ(shed.status, 503U);
    EXPECT_EQ(shed.headers.at("retry-after"), "1");
    EXPECT_EQ(counted("sluice_http_shed_total"), 1);
    open_gate();
    EXPECT_EQ(first.read_answer().body, "through");
    EXPECT_EQ(second.read_answer().body, "through");
    third.send(get("/hello"));
    EXPECT_EQ(third.read_answer().body, "hello");
}

TEST_F(HttpServerLimits, connections_over_the_limit_are_closed_at_once) {
    settings.max_connections = 1;
    TcpPeer first(port());
    first.send(get("/hello"));
    EXPECT_EQ(first.read_answer().status, 200U);
    TcpPeer second(port());
    EXPECT_EQ(second.read_until_closed(), "");
    EXPECT_EQ(counted("sluice_http_turned_away_total"), 1);
    first.send(get("/hello"));
    EXPECT_EQ(first.read_answer().status, 200U);
}

TEST_F(HttpServerLimits, a_client_that_does_not_read_its_answer_is_given_up) {
    settings.write_time = 100ms;
    TcpPeer peer(port());
    std::string requests;
    for (int i = 0; i < 8; ++i)
        requests += get("/large");
    peer.send(requests);
    wait_until([this] { return counted("sluice_http_requests_total") >= 1; });
    wait_until([this] { return gauge("sluice_http_connections").value() == 0; });
    EXPECT_LT(peer.read_until_closed().size(), 8U * 8 * 1024 * 1024);
}

TEST_F(HttpServerLimits, a_client_that_vanishes_leaves_nothing_behind) {
    {
        TcpPeer peer(port());
        peer.send(get("/hello"));
        EXPECT_EQ(peer.read_answer().status, 200U);
        peer.send("POST /orders HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n{");
        peer.reset();
    }
    wait_until([this] { return gauge("sluice_http_connections").value() == 0; });
    EXPECT_EQ(exchange(get("/hello")).status, 200U);
}

TEST_F(HttpServerLimits, a_drain_ends_idle_connections_at_once_and_lets_requests_finish) {
    TcpPeer idle(port());
    idle.send(get("/hello"));
    EXPECT_EQ(idle.read_answer().status, 200U);
    TcpPeer silent(port());
    TcpPeer busy(port());
    busy.send(get("/gate"));
    wait_until_at_gate(1);
    server->stop_accepting();
    EXPECT_EQ(idle.read_until_closed(), "");
    EXPECT_EQ(silent.read_until_closed(), "");
    EXPECT_THROW(TcpPeer late(server->port()), std::runtime_error);
    open_gate();
    const HttpAnswer last = busy.read_answer();
    EXPECT_EQ(last.body, "through");
    EXPECT_EQ(last.headers.at("connection"), "close");
    busy.shutdown_write();
    EXPECT_EQ(busy.read_until_closed(), "");
    const auto begun = std::chrono::steady_clock::now();
    server->stop(10s);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 9s) << "nothing was left to wait for";
}

TEST_F(HttpServerLimits, a_drain_cancels_what_does_not_end_in_time) {
    TcpPeer busy(port());
    busy.send(get("/slow"));
    TcpPeer half(port());
    half.send("POST /orders HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n{");
    wait_until([this] { return gauge("sluice_http_in_flight").value() == 1; });
    const auto begun = std::chrono::steady_clock::now();
    server->stop(50ms);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 5s);
    EXPECT_EQ(busy.read_until_closed(), "");
    EXPECT_EQ(half.read_until_closed(), "");
    EXPECT_EQ(gauge("sluice_http_in_flight").value(), 0);
}

TEST_F(HttpServerLimits, a_server_that_never_listened_stops_at_once) {
    Server unused("unused", shards, Router(), {}, core::Logger(), metrics);
    unused.stop(10s);
}

}  // namespace
}  // namespace sluice::http
