#include "sluice/http/server.hpp"

#include <future>
#include <set>
#include <vector>

#include "sluice/core/assert.hpp"
#include "sluice/http/internal/connection.hpp"
#include "sluice/net/acceptor.hpp"
#include "sluice/runtime/outside.hpp"
#include "sluice/runtime/scope.hpp"

namespace sluice::http {
namespace {

internal::ServerMetrics make_metrics(core::Metrics& metrics, const std::string& name) {
    const core::Labels labels{{"listener", name}};
    return {
        metrics.counter("sluice_http_requests_total", "Requests read completely", labels),
        metrics.counter("sluice_http_client_errors_total", "Answers 4xx, refused heads included", labels),
        metrics.counter("sluice_http_server_errors_total", "Answers 5xx", labels),
        metrics.counter("sluice_http_shed_total", "Requests answered 503 because too many were in progress", labels),
        metrics.counter("sluice_http_turned_away_total", "Connections closed because too many were open", labels),
        metrics.counter("sluice_http_timeouts_total", "Answers 408 and 504", labels),
        metrics.counter("sluice_http_upgrades_total", "Connections that left HTTP", labels),
        metrics.gauge("sluice_http_in_flight", "Requests in handlers", labels),
        metrics.gauge("sluice_http_connections", "Open connections, upgraded ones apart", labels),
        metrics.histogram("sluice_http_request_seconds", "From a complete request to its answer", labels)};
}

/// The part of a server that lives on one shard.
class ShardPart {
public:
    ShardPart(runtime::Shard& shard, int native, internal::ServerShared& shared)
        : shard_(shard),
          shared_(shared),
          acceptor_(shard, native, shared.log),
          accepting_(shard, shared.log),
          connections_(shard, shared.log) {}

    void start() {
        accepting_.spawn("accept", acceptor_.run([this](net::Socket socket) { take(std::move(socket)); }));
    }

    void stop_accepting() {
        accepting_.cancel();
        acceptor_.close();
        for (net::Stream* stream : running_.idle)
            stream->cancel();
    }

    /// Ends what still runs.
    void cancel() {
        const auto handlers = running_.handlers;  // one may end at once
        for (auto* signal : handlers)
            signal->emit(boost::asio::cancellation_type::terminal);
        connections_.cancel();
    }

    runtime::Task<void> join() {
        co_await accepting_.join();
        co_await connections_.join();
    }

    [[nodiscard]] runtime::Shard& shard() noexcept { return shard_; }

private:
    void take(net::Socket socket) {
        if (shared_.connections.fetch_add(1) >= shared_.settings.max_connections) {
            shared_.connections.fetch_sub(1);
            shared_.metrics.turned_away.add();
            return;  // destroying the socket closes it
        }
        connections_.spawn("connection",
                           internal::serve_connection(shared_, shard_, running_, net::Stream(std::move(socket))));
    }

    runtime::Shard& shard_;
    internal::ServerShared& shared_;
    internal::Running running_;
    net::Acceptor acceptor_;
    runtime::TaskScope accepting_;
    runtime::TaskScope connections_;
};

}  // namespace

struct Server::State {
    State(runtime::ShardGroup& group, core::Logger logger) : shards(group), log(std::move(logger)) {}

    runtime::ShardGroup& shards;
    core::Logger log;
    internal::ServerShared shared;
    std::vector<std::unique_ptr<ShardPart>> parts;
    std::uint16_t port = 0;
    bool stopped_accepting = false;
};

Server::Server(std::string name, runtime::ShardGroup& shards, Router router, ServerSettings settings, core::Logger log,
               core::Metrics& metrics)
    : state_(std::make_unique<State>(shards, log.named("http " + name))) {
    state_->shared.router = std::make_shared<const Router>(std::move(router));
    state_->shared.settings = settings;
    state_->shared.log = state_->log;
    state_->shared.metrics = make_metrics(metrics, name);
}

Server::~Server() {
    stop(std::chrono::milliseconds(0));
}

void Server::listen(const std::string& address, std::uint16_t port) {
    SLUICE_ASSERT(state_->parts.empty(), "the server listens already");
    const net::Listener listener = net::listen(address, port);
    state_->port = listener.port();
    for (std::uint32_t i = 0; i < state_->shards.size(); ++i) {
        auto& shard = state_->shards.at(i);
        const int native = listener.open_another();
        runtime::call_on(shard, [&] {
            state_->parts.push_back(std::make_unique<ShardPart>(shard, native, state_->shared));
            state_->parts.back()->start();
        });
    }
}

std::uint16_t Server::port() const noexcept {
    return state_->port;
}

void Server::stop_accepting() {
    state_->shared.draining.store(true);
    if (std::exchange(state_->stopped_accepting, true)) return;
    for (auto& part : state_->parts)
        runtime::call_on(part->shard(), [&] { part->stop_accepting(); });
}

void Server::stop(std::chrono::milliseconds patience) {
    if (state_->parts.empty()) return;
    stop_accepting();
    const auto deadline = std::chrono::steady_clock::now() + patience;
    std::vector<std::future<void>> joined;
    for (auto& part : state_->parts)
        joined.push_back(runtime::start_on(part->shard(), part->join()));
    bool ended = true;
    for (auto& one : joined)
        ended &= one.wait_until(deadline) == std::future_status::ready;
    for (auto& part : state_->parts) {
        if (!ended) runtime::call_on(part->shard(), [&] { part->cancel(); });
    }
    for (std::size_t i = 0; i < state_->parts.size(); ++i) {
        joined[i].get();
        runtime::call_on(state_->parts[i]->shard(), [&] { state_->parts[i].reset(); });
    }
    state_->parts.clear();
}

}  // namespace sluice::http
