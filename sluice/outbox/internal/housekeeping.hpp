// What runs beside delivery: retention, a look whether the cursors are still ours, gauges.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sluice/outbox/internal/claim.hpp"
#include "sluice/outbox/internal/ledger.hpp"
#include "sluice/outbox/internal/processor.hpp"
#include "sluice/outbox/internal/retention.hpp"
#include "sluice/runtime/worker_fsm.hpp"

namespace sluice::outbox {

/// On the outbox's shard; all that it refers to is the outbox's.
class Housekeeping {
public:
    using Subscriptions = std::vector<std::unique_ptr<Subscription>>;
    Housekeeping(DeliveryDeps& deps, const Subscriptions& subscriptions, const Ledger& ledger,
                 const std::vector<QueueRow>& queues);

    /// Removes at most `chunk` ticks, then at most `chunk` messages per unit of work: the ticks first, so that no
    /// reader finds a tick whose messages are gone. On MariaDB ticks of at most `chunk` messages, with them.
    db::Task<runtime::Directive> retain(std::uint32_t chunk);
    /// Notices cursors that another process took while nothing was to be delivered.
    db::Task<runtime::Directive> reconcile();
    void update_gauges();

private:
    /// What stays of the ticks that are removed, in the oldest one kept.
    struct Kept {
        std::vector<NextSequence> state;        // where every lane stands behind them
        std::optional<std::string> removed_in;  // PostgreSQL: messages that this snapshot sees were theirs
        std::vector<std::int64_t> messages;     // MariaDB: their ids, which go with them
    };

    struct Removed {
        std::uint64_t ticks = 0;
        std::uint64_t messages = 0;  // that went with them
    };

    db::Task<std::optional<core::SystemTime>> cutoff(db::Session& session);
    db::Task<std::vector<CursorFront>> fronts(db::Session& session);
    void add_own_fronts(std::vector<CursorFront>& fronts) const;
    [[nodiscard]] std::int64_t head_of(const std::string& reads, const std::string& queues, std::int64_t lane) const;
    db::Task<Removed> remove_ticks(std::uint32_t chunk);
    db::Task<std::uint64_t> remove_messages(std::uint32_t chunk);
    db::Task<std::optional<Kept>> kept_after(db::Session& session, std::int64_t first, std::int64_t last);
    db::Task<void> trim(db::UnitOfWork& unit, std::int64_t first_kept, const Kept& kept);

    DeliveryDeps& deps_;
    const Subscriptions& subscriptions_;
    const Ledger& ledger_;
    const std::vector<QueueRow>& queues_;
};

/// The series of one subscription.
[[nodiscard]] SubscriptionMetrics make_metrics(core::Metrics& metrics, const std::string& source,
                                               const std::string& subscription);

}  // namespace sluice::outbox
