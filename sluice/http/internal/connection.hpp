// One connection from its first byte to its end: read a head, a body, run the handler, write the answer, again.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include <boost/asio/cancellation_signal.hpp>

#include "sluice/core/log.hpp"
#include "sluice/core/metrics.hpp"
#include "sluice/http/router.hpp"
#include "sluice/http/settings.hpp"
#include "sluice/net/stream.hpp"
#include "sluice/runtime/shard.hpp"
#include "sluice/runtime/task.hpp"

namespace sluice::http::internal {

struct ServerMetrics {
    core::Counter requests;
    core::Counter client_errors;
    core::Counter server_errors;
    core::Counter shed;
    core::Gauge in_flight;
    core::Gauge connections;
    core::Histogram seconds;
};

/// What all connections of a server share. Immutable but for the counters.
struct ServerShared {
    std::shared_ptr<const Router> router;  // shared with whoever built it
    ServerSettings settings;
    core::Logger log;
    ServerMetrics metrics;
    std::atomic<std::size_t> in_flight{0};
    std::atomic<std::size_t> connections{0};
    std::atomic<bool> draining{false};
};

/// Handlers in progress on one shard, so that a drain deadline can cancel them.
using RunningHandlers = std::set<boost::asio::cancellation_signal*>;

/// Serves `stream` until it ends, is refused, upgraded or drained. `shared` and `running` outlive it.
runtime::Task<void> serve_connection(ServerShared& shared, runtime::Shard& shard, RunningHandlers& running,
                                     net::Stream stream);

}  // namespace sluice::http::internal
