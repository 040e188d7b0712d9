// For the module's tests: one queue with one transactional subscription "audit" whose effects are remembered.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "sluice/outbox/internal/test_handlers.hpp"

namespace sluice::outbox {

using Payloads = std::vector<std::pair<std::string, std::string>>;

/// Messages "1" to "count" of one key.
inline Payloads numbered(int count, const std::string& key = "k") {
    Payloads all;
    for (int i = 1; i <= count; ++i)
        all.emplace_back(key, std::to_string(i));
    return all;
}
inline std::vector<std::string> payloads(int count) {
    std::vector<std::string> all;
    for (int i = 1; i <= count; ++i)
        all.push_back(std::to_string(i));
    return all;
}

/// One queue of one lane, or several.
struct Transactional {
    explicit Transactional(std::uint16_t count = 1, Testbed::Adjust adjust = {})
        : bed(std::move(adjust)), lanes_(count) {
        bed.make_list("moved", "lane bigint, was bigint, is_now bigint");
    }
    ~Transactional() { bed.stop(); }
    Transactional(const Transactional&) = delete;
    Transactional& operator=(const Transactional&) = delete;

    void start(SubscriptionSettings settings = patient()) {
        auto builder = prepare();
        builder.transactional("orders", "audit", effects.handler(), std::move(settings));
        bed.start(builder);
    }
    void start_batches(SubscriptionSettings settings = patient()) {
        auto builder = prepare();
        builder.batch_transactional("orders", "audit", effects.batch_handler(), std::move(settings));
        bed.start(builder);
    }
    Outbox::Builder prepare() {
        auto builder = bed.builder();
        builder.profile(runtime::Profile::low_latency()).queue("orders", lanes(lanes_));
        return builder;
    }
    /// Makes the queue known so that messages may be published before the handler is there.
    void declare() {
        auto builder = prepare();
        bed.start(builder);
        bed.stop();
        bed.make_trigger("cursor_moves", "after update on sluice_cursor", "new.seq <> old.seq",
                         "insert into moved(lane, was, is_now) values (new.lane, old.seq, new.seq)");
    }
    std::int64_t cursor() { return bed.number("select sum(seq) from sluice_cursor where subscription = 'audit'"); }
    std::vector<std::string> moves() { return texts(bed, "select was || '-' || is_now from moved order by n"); }

    Testbed bed;
    Effects effects{bed};

private:
    std::uint16_t lanes_;
};

}  // namespace sluice::outbox
