// A server in the test's process on a free port, with routes that do what the tests ask for.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>
#include <boost/describe.hpp>

#include "sluice/core/metrics.hpp"
#include "sluice/db/error.hpp"
#include "sluice/http/problem.hpp"
#include "sluice/http/server.hpp"
#include "sluice/runtime/wake.hpp"
#include "sluice/testing/log_capture.hpp"
#include "sluice/testing/tcp_peer.hpp"

namespace sluice::http {

struct TestOrder {
    std::string article;
    std::int32_t quantity = 0;
};
BOOST_DESCRIBE_STRUCT(TestOrder, (), (article, quantity))

/// What the routes do.
namespace test_routes {

inline runtime::Task<Response> hello(RequestContext&) {
    co_return Response::text(200, "hello");
}
inline runtime::Task<Response> large(RequestContext&) {
    co_return Response::text(200, std::string(8 * 1024 * 1024, 'x'));
}
inline runtime::Task<Response> show(RequestContext& request) {
    co_return Response::text(200, request.parameter("id"));
}
inline runtime::Task<Response> boom(RequestContext&) {
    throw std::runtime_error("the reason for the log");
    co_return Response::empty(204);
}
inline runtime::Task<Response> conflict(RequestContext&) {
    throw db::Error(db::ErrorKind::conflict, {});
    co_return Response::empty(204);
}
inline runtime::Task<Response> slow(RequestContext&) {
    // lint: allow sleep: a handler that never ends is what is tested
    co_await runtime::sleep_for(std::chrono::hours(1));
    co_return Response::empty(204);
}
inline runtime::Task<Response> place(RequestContext&, TestOrder order) {
    co_return Response::json(201, core::json::encode(order));
}
inline runtime::Task<UpgradeDecision> upgrade(RequestContext& request) {
    if (request.request.headers.find("Upgrade") != "echo") co_return problem(request, 426, "send 'Upgrade: echo'");
    Upgrade accepted;
    accepted.headers.add("Upgrade", "echo");
    accepted.takeover = [](net::Stream stream, std::string leftover) {
        const std::string answer = "took:" + leftover;
        (void)stream.write_some(std::as_bytes(std::span(answer)));
    };
    co_return accepted;
}

/// Requests that stand here until it opens.
struct Gate {
    std::atomic<int> waiting{0};
    std::atomic<bool> open{false};

    runtime::Task<Response> pass() {
        waiting.fetch_add(1);
        while (!open.load())
            co_await runtime::sleep_for(std::chrono::milliseconds(1));  // lint: allow sleep: polls the condition above
        co_return Response::text(200, "through");
    }
};

}  // namespace test_routes

/// Starts on first use of `port()`, so that a test can change `settings` and `router` before.
class TestServer : public ::testing::Test {
protected:
    TestServer() {
        router.get("/hello", test_routes::hello);
        router.get("/large", test_routes::large);
        router.get("/boom", test_routes::boom);
        router.get("/conflict", test_routes::conflict);
        router.get("/slow", test_routes::slow);
        router.get("/gate", [this](RequestContext&) { return gate.pass(); });
        router.get("/orders/{id}", test_routes::show);
        router.del("/orders/{id}", test_routes::show);
        router.post<TestOrder>("/orders", test_routes::place);
        router.websocket("/live", test_routes::upgrade);
    }

    void TearDown() override {
        open_gate();
        server.reset();
        shards.stop();
    }

    std::uint16_t port() {
        if (!server) {
            shards.start();
            server = std::make_unique<Server>("test", shards, std::move(router), settings,
                                              core::Logger(log, core::LogLevel::debug), metrics);
            server->listen("127.0.0.1", 0);
        }
        return server->port();
    }

    /// One request on a connection of its own.
    testing::HttpAnswer exchange(const std::string& request) {
        testing::TcpPeer peer(port());
        peer.send(request);
        return peer.read_answer();
    }

    static std::string get(const std::string& target, const std::string& fields = "") {
        return "GET " + target + " HTTP/1.1\r\nHost: shop.example\r\n" + fields + "\r\n";
    }
    static std::string post(const std::string& target, const std::string& body, const std::string& fields = "") {
        return "POST " + target + " HTTP/1.1\r\nHost: shop.example\r\nContent-Length: " + std::to_string(body.size()) +
               "\r\n" + fields + "\r\n" + body;
    }

    /// Waits until `count` requests stand at the gate.
    void wait_until_at_gate(int count) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (gate.waiting.load() < count) {
            ASSERT_LT(std::chrono::steady_clock::now(), deadline)
                << gate.waiting.load() << " requests reached the gate";
            std::this_thread::yield();
        }
    }
    void open_gate() { gate.open.store(true); }

    runtime::ShardGroup shards{2};
    Router router;
    ServerSettings settings;
    core::Metrics metrics;
    std::shared_ptr<testing::CapturingSink> log = std::make_shared<testing::CapturingSink>();
    std::unique_ptr<Server> server;
    test_routes::Gate gate;
};

}  // namespace sluice::http
