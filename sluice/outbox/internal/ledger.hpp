// The numbering: which sequence and position every message gets. Pure and the same for every database; a driver reads
// the new rows, asks `plan`, stores the tick and calls `apply` once it is durable.
//
//     Plan plan = ledger.plan(new_rows, now);
//     store(plan.tick);                               // in the same transaction, n fences a second sequencer
//     ledger.apply(plan.tick);                        // after COMMIT; after a rollback nothing: the plan is forgotten
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/db/statement.hpp"
#include "sluice/outbox/internal/tick.hpp"

namespace sluice::outbox {

/// A row that no tick has seen yet.
struct NewMessage {
    std::int64_t id = 0;
    std::int32_t queue = 0;
    std::string_view key;  ///< empty: none
};

/// What one message got.
struct Placement {
    core::LaneId lane;
    core::Sequence sequence;
    core::Position position;
};

/// A tick that is not stored yet. `placements` has one entry per message given; none for a queue that is not declared.
struct Plan {
    Tick tick;
    std::vector<std::optional<Placement>> placements;
};

/// Whether messages become visible by rising id (one writer, or ids given under a lock), or a late commit may bring an
/// id below those that were numbered before. Within a tick they are numbered by id all the same.
enum class IdOrder : std::uint8_t { rising, any };

/// One writer commits by rising id; elsewhere units overlap.
[[nodiscard]] constexpr IdOrder id_order(db::Dialect dialect) noexcept {
    return dialect == db::Dialect::sqlite ? IdOrder::rising : IdOrder::any;
}

/// Where the numbering stands. Invariant: for every lane, `next` is one more than the messages it was ever given; the
/// position is one more than all of them together.
class Ledger {
public:
    explicit Ledger(IdOrder order = IdOrder::rising) noexcept : order_(order) {}

    /// Makes a queue known. Saying it again changes nothing; the number of lanes is fixed.
    void declare(std::int32_t queue, std::uint16_t lanes);
    [[nodiscard]] bool declared(std::int32_t queue) const noexcept { return queues_.contains(queue); }

    /// Numbers `messages` (not empty, by rising id; with IdOrder::rising above `highest_id`) without changing the
    /// ledger.
    [[nodiscard]] Plan plan(std::span<const NewMessage> messages, core::SystemTime now) const;
    /// The next tick begins an epoch above every one that was given, also to ticks that were lost since.
    void raise_epoch(core::SystemTime now) noexcept { epoch_ = raised_epoch(now); }

    /// Takes a durable tick over. The first one may be any that carries a checkpoint; after it they must chain. The
    /// error says what does not fit; then the ledger is unchanged.
    [[nodiscard]] std::expected<void, std::string> apply(const Tick& tick);

    /// Number of the newest tick, 0 before the first.
    [[nodiscard]] std::int64_t newest() const noexcept { return newest_; }
    [[nodiscard]] core::Epoch epoch() const noexcept { return epoch_; }
    [[nodiscard]] std::int64_t highest_id() const noexcept { return highest_id_; }
    /// The position of the newest message, 0 before the first.
    [[nodiscard]] core::Position head() const noexcept { return head_; }
    /// The sequence of the newest message of a lane, 0 before the first.
    [[nodiscard]] core::Sequence head(LaneRef lane) const noexcept;
    /// The next sequence of every lane that ever had a message, by lane.
    [[nodiscard]] std::vector<NextSequence> checkpoint() const;

private:
    [[nodiscard]] core::Epoch raised_epoch(core::SystemTime now) const noexcept;
    [[nodiscard]] std::expected<void, std::string> check(const Tick& tick) const;
    [[nodiscard]] std::expected<void, std::string> check_ids(const Tick& tick) const;
    void restore(const Tick& tick);

    IdOrder order_;
    std::map<std::int32_t, std::uint16_t> queues_;
    std::map<std::int32_t, std::vector<std::int64_t>> heads_;  // by queue, then lane
    std::int64_t newest_ = 0;
    core::Epoch epoch_;
    std::int64_t highest_id_ = 0;
    core::Position head_;
};

}  // namespace sluice::outbox
