// A stretch of the log with its payloads, however it was come by: handed over by the tick that numbered it, or read
// back.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <vector>

#include "sluice/outbox/internal/tick.hpp"
#include "sluice/outbox/message.hpp"

namespace sluice::outbox {

/// A place between two messages in ledger order: behind message `id` of tick `n`. Ids of a tick are above 0.
struct ReadPoint {
    std::int64_t tick = 0;
    std::int64_t id = 0;
    friend auto operator<=>(const ReadPoint&, const ReadPoint&) = default;
};

/// One message and the tick that numbered it. `queue` is its number.
struct LoggedMessage {
    std::shared_ptr<const Message> message;  // shared by all subscriptions that wait for it
    std::int32_t queue = 0;
    std::int64_t tick = 0;

    [[nodiscard]] ReadPoint point() const noexcept { return {tick, message->id.value()}; }
};

/// Every message of the queues asked for between `begin` and `end`, in ledger order.
struct LogSlice {
    ReadPoint begin;
    ReadPoint end;
    core::Position after;  ///< all positions in (after, up_to] lie in this stretch, those of other queues included
    core::Position up_to;
    std::vector<LoggedMessage> messages;
};

}  // namespace sluice::outbox
