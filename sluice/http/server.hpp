// The HTTP/1.1 server: a listener per shard, a coroutine per connection, a strict head check before the parser.
//
//     http::Server server(shards, std::move(router), {}, log, metrics);
//     server.listen("127.0.0.1", 8080);                 // throws net::Error: one line that says what to do
//     …
//     server.stop(5s);                                   // stop accepting, let requests finish, cancel, join
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "sluice/core/log.hpp"
#include "sluice/core/metrics.hpp"
#include "sluice/http/router.hpp"
#include "sluice/http/settings.hpp"
#include "sluice/runtime/shard.hpp"

namespace sluice::http {

/// Started and stopped by the program's thread, never from a shard: `listen` and `stop` wait for the shards.
class Server {
public:
    /// `name` tells listeners apart in metrics and logs ("public", "admin").
    Server(std::string name, runtime::ShardGroup& shards, Router router, ServerSettings settings, core::Logger log,
           core::Metrics& metrics);
    /// Stops with no patience if that was not done.
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// Takes the port and accepts on every shard, which must run. Once.
    void listen(const std::string& address, std::uint16_t port);
    [[nodiscard]] std::uint16_t port() const noexcept;

    /// No new connections; those that are open end after the request in progress.
    void stop_accepting();
    /// stop_accepting, then waits until the connections ended, at most `patience`, then cancels and joins the rest.
    /// Idempotent.
    void stop(std::chrono::milliseconds patience);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace sluice::http
