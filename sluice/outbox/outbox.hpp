// The outbox of one database: numbers what was committed, delivers it in order, keeps cursors, retries, dead letters
// and retention. One runtime per data source; a tenant's file has its own.
//
//     auto handle = co_await outbox::Outbox::builder(database, shard, log, metrics)
//                       .profile(runtime::Profile::low_latency())
//                       .queue(stock)                                            // a Queue<Event>, or name and lanes
//                       .transactional("stock", "audit", audit_handler)
//                       .start();
//     …
//     co_await handle->stop(5s);
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sluice/core/log.hpp"
#include "sluice/core/metrics.hpp"
#include "sluice/db/data_source.hpp"
#include "sluice/migrate/migration.hpp"
#include "sluice/outbox/dead_letters.hpp"
#include "sluice/outbox/error.hpp"
#include "sluice/outbox/handler.hpp"
#include "sluice/outbox/queue.hpp"
#include "sluice/outbox/settings.hpp"
#include "sluice/runtime/profile.hpp"
#include "sluice/runtime/shard.hpp"

namespace sluice::outbox {

/// The tables of the outbox, for migrate::Runner. `start` checks that they were applied.
[[nodiscard]] std::vector<migrate::Migration> migrations();

/// A reading position of one subscription and lane.
struct CursorStatus {
    std::string subscription;
    std::string queue;
    core::LaneId lane;
    std::int64_t acknowledged = 0;  ///< sequence, or position when merged
    std::int64_t head = 0;          ///< the newest number there is
};

/// A running outbox. All calls on its shard.
class Outbox {
public:
    class Builder;
    virtual ~Outbox() = default;

    /// `shard`: where its workers live. Nothing touches the database before `start`.
    [[nodiscard]] static Builder builder(std::shared_ptr<db::DataSource> source, runtime::Shard& shard,
                                         core::Logger log, core::Metrics& metrics);

    [[nodiscard]] virtual DeadLetters& dead_letters() noexcept = 0;
    /// Cursors and heads as this process knows them; no query.
    [[nodiscard]] virtual std::vector<CursorStatus> status() const = 0;
    /// Waits until every subscription has passed everything committed so far, or `limit` ran out (answers false).
    virtual db::Task<bool> drained(std::chrono::milliseconds limit) = 0;
    /// The messages kept with `after` < position <= `up_to`, in ledger order, at most `limit`. For rebuilds: each as it
    /// was published, without the copies that replays of dead letters made. Throws outbox::Error `gone` naming the
    /// oldest position kept when the range begins before it.
    virtual db::Task<std::vector<Message>> read_log(core::Position after, core::Position up_to,
                                                    std::uint32_t limit) = 0;
    /// The newest position that is durable.
    [[nodiscard]] virtual core::Position head() const noexcept = 0;
    /// The oldest position kept; 1 when nothing was ever removed.
    virtual db::Task<core::Position> oldest_kept() = 0;
    /// The ledger epoch in force.
    [[nodiscard]] virtual core::Epoch ledger_epoch() const noexcept = 0;

    /// Batches in hand finish, or are handed back at the deadline; then all workers are joined. Idempotent. Must be
    /// awaited before destruction.
    virtual db::Task<void> stop(std::chrono::milliseconds deadline) = 0;
};

/// Collects queues and subscriptions; every setting is checked by name before any database work.
class Outbox::Builder {
public:
    Builder(std::shared_ptr<db::DataSource> source, runtime::Shard& shard, core::Logger log, core::Metrics& metrics);
    Builder(Builder&&) noexcept;
    Builder& operator=(Builder&&) noexcept;
    ~Builder();

    Builder& profile(runtime::Profile profile);
    Builder& settings(Settings settings);
    Builder& queue(std::string name, Lanes lanes, QueueSettings settings = {});
    template <class Event>
    Builder& queue(const Queue<Event>& queue, QueueSettings settings = {}) {
        return this->queue(queue.name(), queue.lanes(), settings);
    }
    /// A subscription name is unique in its database and keeps its cursor over restarts.
    Builder& transactional(std::string queue, std::string subscription, TransactionalHandler handler,
                           SubscriptionSettings settings = {});
    Builder& batch_transactional(std::string queue, std::string subscription, BatchHandler handler,
                                 SubscriptionSettings settings = {});
    /// One batch handler over several queues in ledger order.
    Builder& batch_merged(std::vector<std::string> queues, std::string subscription, BatchHandler handler,
                          SubscriptionSettings settings = {});
    Builder& leased(std::string queue, std::string subscription, LeasedHandler handler, LeaseSettings lease = {},
                    SubscriptionSettings settings = {});

    /// Settings → schema and queues → cursors → everything committed while nobody ran → workers.
    db::Task<std::unique_ptr<Outbox>> start();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace sluice::outbox
