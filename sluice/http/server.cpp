#include "sluice/http/server.hpp"

#include <condition_variable>
#include <future>
#include <mutex>
#include <set>
#include <vector>

#include "sluice/core/assert.hpp"
#include "sluice/http/internal/connection.hpp"
#include "sluice/net/acceptor.hpp"
#include "sluice/runtime/scope.hpp"

namespace sluice::http {
namespace {

internal::ServerMetrics make_metrics(core::Metrics& metrics, const std::string& name) {
    const core::Labels labels{{"listener", name}};
    return {metrics.counter("sluice_http_requests_total", "Requests read completely", labels),
            metrics.counter("sluice_http_client_errors_total", "Answers 4xx, refused heads included", labels),
            metrics.counter("sluice_http_server_errors_total", "Answers 5xx", labels),
            metrics.counter("sluice_http_shed_total", "Requests answered 503 because too many were in progress", labels),
            metrics.gauge("sluice_http_in_flight", "Requests in handlers", labels),
            metrics.gauge("sluice_http_connections", "Open connections, upgraded ones apart", labels),
            metrics.histogram("sluice_http_request_seconds", "From a complete request to its answer", labels)};
}

/// The part of a server that lives on one shard.
class ShardPart {
public:
    ShardPart(runtime::Shard& shard, int native, internal::ServerShared& shared)
        : shard_(shard), shared_(shared), acceptor_(shard, native, shared.log), accepting_(shard, shared.log),
          connections_(shard, shared.log) {}

    void start() {
        accepting_.spawn("accept", acceptor_.run([this](net::Socket socket) { take(std::move(socket)); }));
    }

    void stop_accepting() {
        accepting_.cancel();
        acceptor_.close();
    }

    /// Ends what still runs.
    void cancel() {
        const auto running = running_;
        for (auto* signal : running)
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
            return;  // destroying the socket closes it
        }
        shared_.metrics.connections.add(1);
        connections_.spawn("connection",
                           internal::serve_connection(shared_, shard_, running_, net::Stream(std::move(socket))));
    }

    runtime::Shard& shard_;
    internal::ServerShared& shared_;
    internal::RunningHandlers running_;
    net::Acceptor acceptor_;
    runtime::TaskScope accepting_;
    runtime::TaskScope connections_;
};

/// Runs `work` on `shard` and waits for it. For the program's thread.
template <class Work>
void on_shard(runtime::Shard& shard, Work work) {
    SLUICE_ASSERT(runtime::Shard::current() == nullptr, "a server is started and stopped from outside the shards");
    std::promise<void> done;
    shard.post([&] {
        work();
        done.set_value();
    });
    done.get_future().wait();
}

/// Joins a part on its shard and then counts down.
class Joining {
public:
    explicit Joining(std::size_t parts) : left_(parts) {}

    void one_done() {
        const std::scoped_lock lock(mutex_);
        --left_;
        changed_.notify_all();
    }
    bool wait_for(std::chrono::milliseconds patience) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, patience, [this] { return left_ == 0; });
    }
    void wait() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return left_ == 0; });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t left_;
};

runtime::Task<void> join_and_count(ShardPart& part, std::shared_ptr<Joining> joining) {
    co_await part.join();
    joining->one_done();
}

}  // namespace

struct Server::State {
    State(runtime::ShardGroup& group, core::Logger logger) : shards(group), log(std::move(logger)) {}

    runtime::ShardGroup& shards;
    core::Logger log;
    internal::ServerShared shared;
    std::vector<std::unique_ptr<ShardPart>> parts;
    std::vector<std::unique_ptr<runtime::TaskScope>> joiners;
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

Server::~Server() { stop(std::chrono::milliseconds(0)); }

void Server::listen(const std::string& address, std::uint16_t port) {
    SLUICE_ASSERT(state_->parts.empty(), "the server listens already");
    const net::Listener listener = net::listen(address, port);
    state_->port = listener.port();
    for (std::uint32_t i = 0; i < state_->shards.size(); ++i) {
        auto& shard = state_->shards.at(i);
        const int native = listener.open_another();
        on_shard(shard, [&] {
            state_->parts.push_back(std::make_unique<ShardPart>(shard, native, state_->shared));
            state_->parts.back()->start();
        });
    }
}

std::uint16_t Server::port() const noexcept { return state_->port; }

void Server::stop_accepting() {
    state_->shared.draining.store(true);
    if (std::exchange(state_->stopped_accepting, true)) return;
    for (auto& part : state_->parts)
        on_shard(part->shard(), [&] { part->stop_accepting(); });
}

void Server::stop(std::chrono::milliseconds patience) {
    if (state_->parts.empty()) return;
    stop_accepting();
    const auto joining = std::make_shared<Joining>(state_->parts.size());
    for (auto& part : state_->parts) {
        on_shard(part->shard(), [&] {
            auto scope = std::make_unique<runtime::TaskScope>(part->shard(), state_->log);
            scope->spawn("join", join_and_count(*part, joining));
            state_->joiners.push_back(std::move(scope));
        });
    }
    const bool ended = joining->wait_for(patience);
    if (!ended) {
        for (auto& part : state_->parts)
            on_shard(part->shard(), [&] { part->cancel(); });
        joining->wait();
    }
    for (std::size_t i = 0; i < state_->parts.size(); ++i) {
        on_shard(state_->parts[i]->shard(), [&] {
            // The joiner's coroutine may be between its last line and its end; one more message lets it get there.
            state_->parts[i]->shard().run_ready();
        });
        on_shard(state_->shards.at(static_cast<std::uint32_t>(i)), [&] {
            state_->joiners[i].reset();
            state_->parts[i].reset();
        });
    }
    state_->parts.clear();
    state_->joiners.clear();
}

}  // namespace sluice::http
