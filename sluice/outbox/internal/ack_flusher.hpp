// Commits what leased batches have to write – leases, acknowledgements, failures – together, one unit every few
// milliseconds. Each order is fenced by itself: a cursor that was lost fails its own order and no other.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <vector>

#include "sluice/db/data_source.hpp"
#include "sluice/outbox/internal/unit_run.hpp"
#include "sluice/runtime/wake.hpp"
#include "sluice/runtime/worker.hpp"

namespace sluice::outbox {

/// On the outbox's shard. Its worker calls `flush`.
class AckFlusher {
public:
    AckFlusher(std::shared_ptr<db::DataSource> source, runtime::Shard& shard);
    ~AckFlusher();

    /// Rung when there is something to flush; without one, or after `begin_stop`, who waits flushes.
    void set_worker(runtime::Worker* worker) noexcept { worker_ = worker; }
    /// The worker is about to stop: who waits for it flushes now.
    void begin_stop();

    /// Returns once `writes` are committed. Throws FenceMissed when one of them missed its row: then none was made; or
    /// what the unit failed with. After a cancellation it is open whether they are committed.
    db::Task<void> commit(std::vector<Write> writes);

    /// Commits what waits, in one unit. The worker's action.
    db::Task<runtime::Directive> flush();

private:
    struct Order;
    db::Task<void> perform(db::UnitOfWork& unit, std::vector<std::shared_ptr<Order>>& orders);
    db::Task<void> perform_lone_writes(db::UnitOfWork& unit, std::vector<std::shared_ptr<Order>>& orders);
    db::Task<void> perform_order(db::UnitOfWork& unit, Order& order);

    std::shared_ptr<db::DataSource> source_;
    runtime::Shard& shard_;
    runtime::Worker* worker_ = nullptr;
    std::vector<std::shared_ptr<Order>> waiting_;  // shared with the coroutine that waits
};

}  // namespace sluice::outbox
