// What the connections of one server share.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <set>

#include <boost/asio/cancellation_signal.hpp>

#include "sluice/core/log.hpp"
#include "sluice/core/metrics.hpp"
#include "sluice/http/router.hpp"
#include "sluice/http/settings.hpp"
#include "sluice/net/stream.hpp"

namespace sluice::http::internal {

struct ServerMetrics {
    core::Counter requests;
    core::Counter client_errors;
    core::Counter server_errors;
    core::Counter shed;
    core::Counter turned_away;
    core::Counter timeouts;
    core::Counter upgrades;
    core::Gauge in_flight;
    core::Gauge connections;
    core::Histogram seconds;
};

/// Immutable but for the counters and the flag.
struct ServerShared {
    std::shared_ptr<const Router> router;  // shared with whoever built it
    ServerSettings settings;
    core::Logger log;
    ServerMetrics metrics;
    std::atomic<std::size_t> in_flight{0};
    std::atomic<std::size_t> connections{0};
    std::atomic<bool> draining{false};
};

/// What waits or works on one shard, so that a drain can end idle connections at once and, past its deadline, handlers.
struct Running {
    /// What a read fills and its connection empties before anything else runs.
    std::array<std::byte, 16 * 1024> read_buffer;
    std::set<boost::asio::cancellation_signal*> handlers;
    std::set<net::Stream*> idle;
};

}  // namespace sluice::http::internal
