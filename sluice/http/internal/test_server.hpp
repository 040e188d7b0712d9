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

/// Starts on first use of `port()`, so that a test can change `settings` and `router` before.
class TestServer : public ::testing::Test {
protected:
    TestServer() {
        router.get("/hello", [](RequestContext&) { return hello(); });
        router.get("/large", [](RequestContext&) { return large(); });
        router.get("/boom", [](RequestContext&) { return boom(); });
        router.get("/conflict", [](RequestContext&) { return conflict(); });
        router.get("/slow", [](RequestContext&) { return slow(); });
        router.get("/gate", [this](RequestContext&) { return wait_at_gate(); });
        router.get("/orders/{id}", [](RequestContext& request) { return show(request.parameter("id")); });
        router.del("/orders/{id}", [](RequestContext& request) { return show(request.parameter("id")); });
        router.post<TestOrder>("/orders", place);
        router.websocket("/live", [](RequestContext& request) { return upgrade(request); });
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
        while (at_gate.load() < count) {
            ASSERT_LT(std::chrono::steady_clock::now(), deadline) << at_gate.load() << " requests reached the gate";
            std::this_thread::yield();
        }
    }
    void open_gate() { gate_open.store(true); }

    runtime::ShardGroup shards{2};
    Router router;
    ServerSettings settings;
    core::Metrics metrics;
    std::shared_ptr<testing::CapturingSink> log = std::make_shared<testing::CapturingSink>();
    std::unique_ptr<Server> server;
    std::atomic<int> at_gate{0};
    std::atomic<bool> gate_open{false};

private:
    static runtime::Task<Response> hello() { co_return Response::text(200, "hello"); }
    static runtime::Task<Response> large() { co_return Response::text(200, std::string(8 * 1024 * 1024, 'x')); }
    static runtime::Task<Response> show(std::string id) { co_return Response::text(200, std::move(id)); }
    static runtime::Task<Response> boom() {
        throw std::runtime_error("the reason for the log");
        co_return Response::empty(204);
    }
    static runtime::Task<Response> conflict() {
        throw db::Error(db::ErrorKind::conflict, {});
        co_return Response::empty(204);
    }
    static runtime::Task<Response> slow() {
        co_await runtime::sleep_for(std::chrono::hours(1));
        co_return Response::empty(204);
    }
    runtime::Task<Response> wait_at_gate() {
        at_gate.fetch_add(1);
        while (!gate_open.load())
            co_await runtime::sleep_for(std::chrono::milliseconds(1));
        co_return Response::text(200, "through");
    }
    static runtime::Task<Response> place(RequestContext&, TestOrder order) {
        co_return Response::json(201, core::json::encode(order));
    }
    static runtime::Task<UpgradeDecision> upgrade(RequestContext& request) {
        if (request.request.headers.find("Upgrade") != "echo") co_return problem(request, 426, "send 'Upgrade: echo'");
        Upgrade accepted;
        accepted.headers.add("Upgrade", "echo");
        accepted.takeover = [](net::Stream stream, std::string leftover) {
            const std::string answer = "took:" + leftover;
            (void)stream.write_some(std::as_bytes(std::span(answer)));
        };
        co_return accepted;
    }
};

}  // namespace sluice::http
