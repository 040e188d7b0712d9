// One subscription as a running outbox holds it: what it wants, what it has in memory, what each lane is about.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "sluice/core/metrics.hpp"
#include "sluice/outbox/handler.hpp"
#include "sluice/outbox/internal/lane_fsm.hpp"
#include "sluice/outbox/internal/statements.hpp"
#include "sluice/outbox/internal/subscription_feed.hpp"
#include "sluice/outbox/settings.hpp"

namespace sluice::outbox {

/// As the builder was told; exactly one handler is set.
struct SubscriptionPlan {
    std::string name;
    std::vector<std::string> queues;  ///< sorted; one unless merged
    Order order = Order::by_lane;
    SubscriptionSettings settings;
    TransactionalHandler on_message;
    BatchHandler on_batch;
    LeasedHandler on_lease;
    LeaseSettings lease;
};

struct SubscriptionMetrics {
    core::Counter delivered;
    core::Counter retried;
    core::Counter dead_lettered;
    core::Counter parked;
    core::Counter cursor_losses;
    core::Histogram batch_messages;
    core::Histogram commit_to_delivered;
    core::Histogram handler;
    core::Gauge backlog;
    core::Gauge oldest_age;
    core::Gauge parked_keys;
};

/// On the outbox's shard.
struct Subscription {
    Subscription(SubscriptionPlan subscription_plan, SubscriptionFeed subscription_feed)
        : plan(std::move(subscription_plan)), feed(std::move(subscription_feed)) {}

    SubscriptionPlan plan;
    SubscriptionFeed feed;
    std::vector<LaneFsm> lanes;
    core::Epoch epoch;           ///< of its cursors, as this process claimed them
    std::size_t first_slot = 0;  ///< of its lanes in the scheduler
    bool catch_up = false;       ///< write idle cursors that lag behind what was looked at
    bool lost = false;           ///< another owner has the cursors: nothing is delivered any more
    SubscriptionMetrics metrics;

    [[nodiscard]] CursorRef cursor(std::size_t lane) const {
        return {plan.name, static_cast<std::int64_t>(lane), epoch};
    }
    /// For logs: "stock/3".
    [[nodiscard]] std::string lane_name(std::size_t lane) const;
};

/// The dead letter that `message` replays; nothing for one that a producer wrote.
[[nodiscard]] std::optional<ReplayedLetter> letter_of(const Message& message);
/// Whether `message` was replayed for another subscription than `name`.
[[nodiscard]] bool is_for_another(const Message& message, std::string_view name);

}  // namespace sluice::outbox
