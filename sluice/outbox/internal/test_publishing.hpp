// For the module's tests: an outbox with one queue whose messages are remembered, and producers.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "sluice/outbox/internal/test_handlers.hpp"

namespace sluice::outbox {

/// An outbox with one queue whose messages are remembered.
struct Publishing {
    explicit Publishing(std::uint16_t count = 1) {
        auto builder = bed.builder();
        builder.profile(runtime::Profile::low_latency());
        builder.queue("orders", lanes(count)).transactional("orders", "audit", seen.handler());
        bed.start(builder);
    }
    /// One unit of work around `body`.
    template <class Body>
    void unit(Body body) {
        const auto call = [&body](db::UnitOfWork& unit) { return run_in(unit, body); };
        bed.run(bed.database->transaction({}, call));
    }
    std::vector<std::string> delivered() {
        EXPECT_TRUE(bed.drained());
        return seen.payloads();
    }

    Seen seen;  // outlives the outbox, which may still deliver while it stops
    Testbed bed;

private:
    template <class Body>
    static db::Task<void> run_in(db::UnitOfWork& unit, Body& body) {
        body(unit);
        co_return;
    }
};

inline Outgoing order(std::string key, std::string payload) {
    return Testbed::outgoing("orders", std::move(key), std::move(payload));
}

/// A unit that is refused at its commit.
inline db::Task<void> order_and_unknown_queue(db::UnitOfWork& unit) {
    co_await unit.execute("insert into business(id) values (1)");
    publish(unit, Testbed::outgoing("nowhere", "k", "1"));
    publish(unit, order("k", "2"));
}

}  // namespace sluice::outbox
