// Connections of one data source, lent to coroutines of any shard. What is decided where: PoolFsm decides, under a
// short lock; the pool moves, opens and closes connections on the shards that hold them.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <source_location>
#include <string>

#include "sluice/core/log.hpp"
#include "sluice/core/metrics.hpp"
#include "sluice/db/pool/internal/link.hpp"
#include "sluice/db/pool/internal/pool_fsm.hpp"
#include "sluice/db/pool/settings.hpp"

namespace sluice::db::pool {

class Pool;

/// A borrowed connection, or the place for one that is yet to be opened; its destruction, on the shard that borrowed
/// it, gives it back. Movable.
class Lease {
public:
    Lease() = default;
    Lease(std::shared_ptr<Pool> pool, LinkId id, std::unique_ptr<Link> link);
    Lease(Lease&& other) noexcept = default;
    Lease& operator=(Lease&& other) noexcept;
    ~Lease();

    /// Whether there is a connection.
    [[nodiscard]] explicit operator bool() const noexcept { return link_ != nullptr; }
    [[nodiscard]] Link& link() const noexcept { return *link_; }
    [[nodiscard]] LinkId id() const noexcept { return id_; }
    void give_back() noexcept;
    /// Puts another connection, or none, into the same place.
    void replace(std::unique_ptr<Link> link) noexcept { link_ = std::move(link); }

private:
    std::shared_ptr<Pool> pool_;  // shared by the data source and everything lent
    LinkId id_ = 0;
    std::unique_ptr<Link> link_;
};

/// Thread-safe; tasks run on the calling shard.
class Pool final : public std::enable_shared_from_this<Pool> {
public:
    Pool(Settings settings, std::string source, Connect connect, core::Logger log, core::Metrics& metrics);
    ~Pool();

    /// Waits at most the acquire timeout and at most until `deadline`. Throws `pool_exhausted` when none came free,
    /// `connection` when the pool is closed, and what opening one throws. `borrower` is named when it keeps the
    /// connection too long.
    runtime::Task<Lease> acquire(core::SteadyTime deadline, std::source_location borrower);

    /// Refuses new borrowers, waits for what is lent, closes everything. Idempotent.
    runtime::Task<void> close();

    [[nodiscard]] PoolCounts counts() const;

private:
    friend class Lease;
    struct Part;
    struct Waiter;
    struct Request;
    struct State;

    runtime::Task<Lease> fulfil(Request request);
    runtime::Task<Lease> wait(Request request);
    runtime::Task<void> open(Lease& place, core::SteadyTime deadline);
    void fetch(const Request& request);
    void give_up(const Request& request);

    void give_back(LinkId id, std::unique_ptr<Link> link) noexcept;
    void send(const std::shared_ptr<Waiter>& waiter, const PoolGrant& grant, std::unique_ptr<Link> link);
    [[nodiscard]] std::shared_ptr<Part> part_here();

    void sweep(Part& part);
    void refill(Part& part);
    runtime::Task<void> open_one_more(Lease place);
    void arm_sweep(const std::shared_ptr<Part>& part);
    void report_leaks(SteadyTime now);
    runtime::Task<void> close_part(std::shared_ptr<Part> part);
    void log_failure(const std::exception_ptr& error) const;
    void count();
    void tell_if_unused();

    std::unique_ptr<State> state_;
};

}  // namespace sluice::db::pool
