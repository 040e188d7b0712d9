// A message as a consumer sees it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "sluice/core/ids.hpp"
#include "sluice/db/value.hpp"

namespace sluice::outbox {

using Headers = std::map<std::string, std::string>;

/// Written once with its transaction, numbered by a tick, never changed.
struct Message {
    core::MessageId id;
    std::string queue;
    core::LaneId lane;
    core::Sequence sequence;   ///< dense within the lane
    core::Position position;   ///< dense within the database, in ledger order
    core::Epoch ledger_epoch;  ///< of the tick that numbered it
    std::string key;           ///< empty: none
    std::string type;
    std::string payload;
    std::string tenant;  ///< empty: none
    std::string trace;   ///< W3C traceparent, empty: none
    Headers headers;
    db::Timestamp created_at;  ///< when it was written, database clock
    int attempts = 0;          ///< failed tries before this one
    std::int64_t xid = 0;      ///< PostgreSQL: the transaction that wrote it (`pg_current_xact_id`); 0 elsewhere

    /// Stable over redeliveries: queue/lane/ledger epoch/sequence.
    [[nodiscard]] std::string idempotency_key() const;
};

}  // namespace sluice::outbox
