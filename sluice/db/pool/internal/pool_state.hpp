// What a pool holds: one part per shard, and under the lock who waits and who borrowed. Only pool*.cpp include this.
#pragma once

#include <functional>
#include <map>
#include <random>
#include <unordered_map>
#include <vector>

#include <boost/asio/steady_timer.hpp>

#include "sluice/core/random.hpp"
#include "sluice/db/pool/internal/pool.hpp"

namespace sluice::db::pool {

using PoolTimer =
    boost::asio::basic_waitable_timer<std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>,
                                      runtime::Executor>;

/// How one borrower is served.
struct Pool::Request {
    PoolGrant grant;
    std::shared_ptr<Waiter> waiter;  // shared with the pool and messages on their way
    SteadyTime until;
    std::source_location borrower;
};

/// What rests on one shard; touched there only, `shard` and `index` apart.
struct Pool::Part {
    Part(runtime::Shard& on, ShardIndex number) : shard(on), index(number), sweep_timer(on.executor()) {}

    runtime::Shard& shard;
    const ShardIndex index;
    PoolTimer sweep_timer;
    std::unordered_map<LinkId, std::unique_ptr<Link>> resting;
};

/// A coroutine that waits; touched on its shard only, `part` apart.
struct Pool::Waiter {
    explicit Waiter(std::shared_ptr<Part> on) : part(std::move(on)), timer(part->shard.executor()) {}

    const std::shared_ptr<Part> part;  // shared with the pool
    PoolTimer timer;                   // cancelled when something arrived
    Lease granted;                     // a connection, or the place for one
    bool answered = false;             // perhaps by nothing: the pool closes
    bool gone = false;                 // gave up; what arrives now goes back
};

struct Pool::State {
    struct Borrowed {
        std::source_location borrower;
        SteadyTime since;
        bool reported = false;
    };

    explicit State(const PoolLimits& limits) : fsm(limits) {}

    Settings settings;
    std::string source;
    Connect connect;
    core::Logger log;

    core::Gauge in_use;
    core::Gauge idle;
    core::Gauge waiting;
    core::Histogram wait_seconds;
    core::Counter opened;
    core::Counter open_failures;
    core::Counter refused;
    core::Counter leaks;

    mutable std::mutex mutex;  // for all below
    PoolFsm fsm;
    core::Random random{std::random_device{}()};
    std::vector<std::shared_ptr<Part>> parts;  // shared with messages on their way
    std::unordered_map<Ticket, std::shared_ptr<Waiter>> waiters;
    std::unordered_map<LinkId, Borrowed> borrowed;
    bool closing = false;
    std::vector<std::function<void()>> when_unused;
};

}  // namespace sluice::db::pool
