// What a start does in the database: declares queues, enters subscriptions, takes over their cursors. Runs in one unit
// of work, so that it sees and writes one state.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sluice/db/unit_of_work.hpp"
#include "sluice/outbox/internal/ledger.hpp"
#include "sluice/outbox/internal/outbox_plan.hpp"

namespace sluice::outbox {

/// A queue as the database knows it.
struct QueueRow {
    std::int32_t number = 0;
    std::string name;
    std::uint16_t lanes = 1;
};

/// Throws outbox::Error `config` that says to run the migrations when a table or column is missing.
db::Task<void> check_schema(db::Session& session, std::string source);

/// One start at a time, until the unit ends. SQLite's writer sees to that by itself.
db::Task<void> lock_start(db::UnitOfWork& unit);

/// Enters what is new and answers every queue of the database. Another lane count than before is a `config` error with
/// both numbers.
db::Task<std::vector<QueueRow>> declare_queues(db::UnitOfWork& unit, const std::vector<QueuePlan>& plans);

/// What a claim needs to know of this start.
struct ClaimContext {
    std::string source;
    std::string owner;  ///< written beside the epoch, for people
    const std::vector<QueueRow>& queues;
    const Ledger& ledger;
    FeedLimits feed;
    core::SteadyTime now;
    LaneRules rules;  ///< without what the subscription says
};

/// Enters the subscription if it is new, raises the epoch of its cursors and loads them with its attempts and parked
/// keys. A name that is known with other queues, or another order, is a `config` error.
db::Task<std::unique_ptr<Subscription>> claim_subscription(db::UnitOfWork& unit, SubscriptionPlan plan,
                                                           const ClaimContext& context);

}  // namespace sluice::outbox
