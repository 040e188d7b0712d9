// What a builder collected, and the check of all of it before any database work. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/outbox/internal/subscription.hpp"
#include "sluice/outbox/queue.hpp"
#include "sluice/outbox/settings.hpp"
#include "sluice/runtime/profile.hpp"

namespace sluice::outbox {

struct QueuePlan {
    std::string name;
    Lanes lanes;
    QueueSettings settings;
};

struct OutboxPlan {
    runtime::Profile profile = runtime::Profile::balanced();
    Settings settings;
    std::vector<QueuePlan> queues;
    std::vector<SubscriptionPlan> subscriptions;
};

/// The workers' settings once own tuning, profile and defaults are put together.
struct WorkerPlan {
    runtime::WorkerSettings processor;
    runtime::WorkerSettings sequencer;
    runtime::WorkerSettings retention;
    runtime::WorkerSettings reconciler;
};

/// Throws outbox::Error `config` naming the setting, what it is and what it may be.
[[nodiscard]] WorkerPlan check(const OutboxPlan& plan, std::string_view source);

}  // namespace sluice::outbox
