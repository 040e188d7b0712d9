// After a logical restore the log's rows carry transaction ids of the server they came from, which say nothing here.
#pragma once

#include <map>
#include <string>

#include "sluice/core/clock.hpp"
#include "sluice/db/unit_of_work.hpp"
#include "sluice/outbox/internal/ledger.hpp"

namespace sluice::outbox::postgres {

/// Under an exclusive lock: gives every row kept the unit's own transaction id, numbers by id those that no tick names,
/// and lets the next tick go on behind the unit. Sequences and positions go on; the epoch rises. `unit` is READ
/// COMMITTED, `ledger` stands at the newest row.
db::Task<void> rebaseline(db::UnitOfWork& unit, Ledger ledger, std::map<std::int32_t, std::string> queue_names,
                          core::SystemTime now);

}  // namespace sluice::outbox::postgres
