// What consumes a subscription: three kinds of handlers with an outcome per message.
//
//     outbox::TransactionalHandler handler = [](db::UnitOfWork& unit, const outbox::Message& m) ->
//     db::Task<outbox::Outcome> {
//         co_await unit.execute("update …");            // commits together with the cursor: exactly once
//         co_return outbox::Outcome::ok();
//     };
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sluice/db/unit_of_work.hpp"
#include "sluice/outbox/message.hpp"

namespace sluice::outbox {

/// What became of one message. An exception that leaves a handler counts as `retry` with its text.
class Outcome {
public:
    enum class Kind : std::uint8_t { ok, retry, reject };

    [[nodiscard]] static Outcome ok() { return Outcome(Kind::ok, {}, std::nullopt); }
    /// Tried again after `after`, or after the subscription's back-off.
    [[nodiscard]] static Outcome retry(std::string reason, std::optional<std::chrono::milliseconds> after = {}) {
        return Outcome(Kind::retry, std::move(reason), after);
    }
    /// Goes to the dead letters with `reason`; the lane moves on.
    [[nodiscard]] static Outcome reject(std::string reason) { return Outcome(Kind::reject, std::move(reason), {}); }

    [[nodiscard]] Kind kind() const noexcept { return kind_; }
    [[nodiscard]] const std::string& reason() const noexcept { return reason_; }
    [[nodiscard]] std::optional<std::chrono::milliseconds> after() const noexcept { return after_; }

private:
    Outcome(Kind kind, std::string reason, std::optional<std::chrono::milliseconds> after)
        : kind_(kind), reason_(std::move(reason)), after_(after) {}
    Kind kind_;
    std::string reason_;
    std::optional<std::chrono::milliseconds> after_;
};

/// Consecutive messages of one subscription. By lane: of one lane, `after`/`up_to` are its sequences. Merged: of all
/// lanes in ledger order, `lane` is 0 and `after`/`up_to` are positions.
struct Batch {
    std::string queue;
    std::string subscription;
    core::LaneId lane;
    std::int64_t after = 0;  ///< `up_to` of the batch before, at the start where the cursor stood; the messages follow
    std::int64_t up_to = 0;  ///< where the cursor stands once this batch commits
    core::Epoch ledger_epoch;  ///< the highest of the messages' ledger epochs
    std::vector<Message> messages;
};

/// One message; runs in the unit that also advances the cursor.
using TransactionalHandler = std::function<db::Task<Outcome>(db::UnitOfWork&, const Message&)>;

/// A whole batch in one unit. Returning means every message is done; an exception undoes the unit and the batch is
/// tried again in halves until the message at fault is alone.
using BatchHandler = std::function<db::Task<void>(db::UnitOfWork&, const Batch&)>;

/// A batch outside any transaction, at least once, fenced by the lease's epoch. Settle every message by its index; what
/// is left unsettled when the handler returns or throws is retried.
class LeasedBatch {
public:
    virtual ~LeasedBatch() = default;
    [[nodiscard]] virtual std::span<const Message> messages() const noexcept = 0;
    virtual void settle(std::size_t index, Outcome outcome) = 0;
    /// Until the handler is cancelled; renewed while messages are settled.
    [[nodiscard]] virtual std::chrono::milliseconds remaining() const noexcept = 0;
};
using LeasedHandler = std::function<db::Task<void>(LeasedBatch&)>;

}  // namespace sluice::outbox
