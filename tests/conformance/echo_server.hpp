// The server under test: HTTP server, handshake and hub on real sockets in this process, with an echo gateway.
//
//     EchoServer server(http::ServerSettings{}, realtime::HubSettings{});
//     testing::TcpPeer peer(server.port());
//
// `/echo` answers every message in kind; `/chat` too, and demands the subprotocol `echo.v1`.
// `GET /hello` answers "hello"; `POST /echo-body` answers the body.
#pragma once

#include <cstdint>
#include <memory>

#include "sluice/http/settings.hpp"
#include "sluice/realtime/settings.hpp"

namespace sluice::conformance {

class EchoServer {
public:
    EchoServer(const http::ServerSettings& http_settings, const realtime::HubSettings& hub_settings);
    ~EchoServer();
    EchoServer(const EchoServer&) = delete;
    EchoServer& operator=(const EchoServer&) = delete;

    [[nodiscard]] std::uint16_t port() const noexcept;

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// Limits that let the suite's largest messages through, and no limit of rate.
[[nodiscard]] realtime::HubSettings generous_hub();

}  // namespace sluice::conformance
