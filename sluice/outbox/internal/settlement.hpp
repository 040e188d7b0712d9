// What becomes of messages after a handler had them: verdicts into writes, and what the lane learns once they
// committed. Shared by transactional and leased processors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <vector>

#include "sluice/outbox/internal/processor.hpp"
#include "sluice/outbox/internal/unit_run.hpp"

namespace sluice::outbox {

[[nodiscard]] Complaint complaint_of(const Outcome& outcome);
[[nodiscard]] Complaint complaint_of(const std::exception_ptr& error);
/// The item's message as a handler sees it.
[[nodiscard]] Message with_attempts(const Item& item);

/// The first `count` messages of a lane and what is to be done with each.
[[nodiscard]] UnitRun prepare_run(const Subscription& subscription, std::size_t lane, std::uint32_t count);
/// Keys that a replay set aside since `prepare_run`: their messages join them.
void rejoin(const Subscription& subscription, UnitRun& run);
/// A message of `select_parked`.
[[nodiscard]] Item parked_item(const DeliveryDeps& deps, const db::Row& row, const std::string& group);

/// What one more failure of `item` adds to the unit. Answers whether the messages behind it may go on.
bool judge_in_lane(DeliveryDeps& deps, const Subscription& subscription, UnitRun& run, const Item& item,
                   const Complaint& complaint);
/// The same for a message whose key is set aside.
bool judge_apart(DeliveryDeps& deps, const Subscription& subscription, UnitRun& run, const Item& item,
                 const Complaint& complaint);

/// Runs the writes; one that misses its row throws FenceMissed.
db::Task<void> perform_writes(db::Session& session, std::vector<Write> writes);

/// The unit committed: cursor, failures and keys in memory follow it.
void learn(DeliveryDeps& deps, Subscription& subscription, const UnitRun& run);
void learn_apart(Subscription& subscription, const UnitRun& run, const std::string& group);

/// `reload_lane`, whose failure is logged: the fence answers every try until it is known where the cursor stands.
db::Task<void> look_again(DeliveryDeps& deps, Subscription& subscription, std::size_t lane);

}  // namespace sluice::outbox
