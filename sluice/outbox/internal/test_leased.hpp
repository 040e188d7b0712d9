// For the module's tests: one queue with one leased subscription.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "sluice/outbox/internal/test_handlers.hpp"

namespace sluice::outbox {

/// One queue with one leased subscription "mail".
struct Leased {
    explicit Leased(std::uint16_t count = 1, Testbed::Adjust adjust = {}) : bed(std::move(adjust)), lanes_(count) {
        bed.make_list("taken", "up_to bigint");
    }
    ~Leased() { bed.stop(); }
    Leased(const Leased&) = delete;
    Leased& operator=(const Leased&) = delete;

    void start(LeaseSettings lease = {}, SubscriptionSettings subscription = patient()) {
        start_with(leases.handler(), lease, std::move(subscription));
    }
    void start_with(LeasedHandler handler, LeaseSettings lease = {}, SubscriptionSettings subscription = patient()) {
        auto builder = bed.builder();
        builder.profile(runtime::Profile::low_latency()).settings(settings).queue("orders", lanes(lanes_));
        builder.leased("orders", "mail", std::move(handler), lease, std::move(subscription));
        bed.start(builder);
    }
    /// A start and a stop, so that the cursor is there; then `taken` gets a row for every lease taken or renewed.
    void declare() {
        start();
        bed.stop();
        bed.make_trigger("lease_taken", "after update on sluice_cursor", "new.lease_until is not null",
                         "insert into taken(up_to) values (new.lease_up_to)");
    }
    void publish(int from, int to) {
        std::vector<std::pair<std::string, std::string>> all;
        for (int i = from; i <= to; ++i)
            all.emplace_back("key-" + std::to_string(i), std::to_string(i));
        bed.publish("orders", all);
    }
    std::int64_t cursor() { return bed.number("select sum(seq) from sluice_cursor"); }

    Testbed bed;
    Leases leases{bed};
    Settings settings;

private:
    std::uint16_t lanes_;
};

inline LeaseSettings lease_of(std::chrono::milliseconds duration, std::chrono::milliseconds headroom) {
    return {duration, headroom};
}

}  // namespace sluice::outbox
