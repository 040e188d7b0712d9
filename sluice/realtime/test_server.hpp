// For this module's tests and benchmarks: sockets that a hub adopts, with the smallest HTTP head reader that does. The
// real one is sluice/http, which this layer must not know.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "sluice/core/metrics.hpp"
#include "sluice/realtime/hub.hpp"
#include "sluice/runtime/shard.hpp"

namespace sluice::realtime {

/// Accepts on every shard of a group and adopts into a hub. `/ws` speaks sluice.v1, every other path is a gateway's.
/// The tenant is what `?tenant=` of the target says.
class TestServer {
public:
    /// The shards run already.
    TestServer(runtime::ShardGroup& shards, Hub& hub);
    /// Stops accepting and joins; the hub is drained by its owner.
    ~TestServer();
    TestServer(const TestServer&) = delete;
    TestServer& operator=(const TestServer&) = delete;

    [[nodiscard]] std::uint16_t port() const noexcept;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace sluice::realtime
