#include "sluice/db/pool/internal/pool.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include "sluice/core/assert.hpp"
#include "sluice/db/internal/failures.hpp"
#include "sluice/db/pool/internal/pool_state.hpp"

namespace sluice::db::pool {
namespace {

PoolLimits limits_from(const Settings& settings) {
    PoolLimits limits;
    limits.max = settings.max;
    limits.min_idle = settings.min_idle;
    limits.max_waiting = settings.max_waiting;
    limits.max_lifetime = settings.max_lifetime;
    limits.idle_timeout = settings.idle_timeout;
    limits.check_after = settings.check_after;
    return limits;
}

double seconds_since(SteadyTime began) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

}  // namespace

Lease::Lease(std::shared_ptr<Pool> pool, LinkId id, std::unique_ptr<Link> link)
    : pool_(std::move(pool)), id_(id), link_(std::move(link)) {}

Lease& Lease::operator=(Lease&& other) noexcept {
    if (this == &other) return *this;
    give_back();
    pool_ = std::move(other.pool_);
    id_ = other.id_;
    link_ = std::move(other.link_);
    return *this;
}

Lease::~Lease() {
    give_back();
}

void Lease::give_back() noexcept {
    if (!pool_) return;
    const std::shared_ptr<Pool> pool = std::move(pool_);
    pool->give_back(id_, std::move(link_));
}

Pool::Pool(Settings settings, std::string source, Connect connect, core::Logger log, core::Metrics& metrics)
    : state_(std::make_unique<State>(limits_from(settings))) {
    const core::Labels labels{{"source", source}};
    state_->settings = settings;
    state_->source = std::move(source);
    state_->connect = std::move(connect);
    state_->log = std::move(log);
    state_->in_use = metrics.gauge("sluice_db_pool_in_use", "Connections lent or being opened", labels);
    state_->idle = metrics.gauge("sluice_db_pool_idle", "Connections that rest", labels);
    state_->waiting = metrics.gauge("sluice_db_pool_waiting", "Who waits for a connection", labels);
    state_->wait_seconds =
        metrics.histogram("sluice_db_pool_wait_seconds", "Wait for a connection, of those who had to wait", labels);
    state_->opened = metrics.counter("sluice_db_pool_opened_total", "Connections opened", labels);
    state_->open_failures = metrics.counter("sluice_db_pool_open_failures_total", "Connections not opened", labels);
    state_->refused =
        metrics.counter("sluice_db_pool_refused_total", "Borrowers that got no connection in time", labels);
    state_->leaks = metrics.counter("sluice_db_pool_leaks_total", "Connections lent longer than the leak age", labels);
}

Pool::~Pool() = default;

runtime::Task<Lease> Pool::acquire(core::SteadyTime deadline, std::source_location borrower) {
    const std::shared_ptr<Part> part = part_here();
    const SteadyTime now = std::chrono::steady_clock::now();
    Request request{{}, nullptr, std::min(deadline, now + state_->settings.acquire_timeout), borrower};
    {
        const std::lock_guard lock(state_->mutex);
        if (state_->closing)
            throw db::internal::failure(ErrorKind::connection, state_->source, "the data source is closed");
        request.grant = state_->fsm.acquire(part->index, now);
        const PoolGrant::Kind kind = request.grant.kind;
        if (kind == PoolGrant::Kind::wait || kind == PoolGrant::Kind::fetch)
            request.waiter = std::make_shared<Waiter>(part);
        if (kind == PoolGrant::Kind::wait) state_->waiters.emplace(request.grant.ticket, request.waiter);
        count();
    }
    return fulfil(std::move(request));
}

runtime::Task<Lease> Pool::fulfil(Request request) {
    const PoolGrant& grant = request.grant;
    Lease lease;
    if (grant.kind == PoolGrant::Kind::refuse) {
        state_->refused.add();
        throw db::internal::failure(ErrorKind::pool_exhausted, state_->source,
                                    fmt::format("{} wait for a connection already; shed load or raise `max_waiting`",
                                                state_->settings.max_waiting));
    }
    if (grant.kind == PoolGrant::Kind::open) lease = Lease(shared_from_this(), grant.link, nullptr);
    if (grant.kind == PoolGrant::Kind::use) {
        auto taken = part_here()->resting.extract(grant.link);
        SLUICE_ASSERT(!taken.empty(), "connection {} does not rest on this shard", grant.link);
        lease = Lease(shared_from_this(), grant.link, std::move(taken.mapped()));
    }
    if (grant.kind == PoolGrant::Kind::fetch) fetch(request);
    if (request.waiter) lease = co_await wait(request);
    if (lease && grant.check) {
        const bool alive = co_await lease.link().check();
        if (!alive) lease.replace(nullptr);
    }
    if (!lease) co_await open(lease, request.until);
    const std::lock_guard lock(state_->mutex);
    state_->borrowed[lease.id()] = {request.borrower, std::chrono::steady_clock::now(), false};
    co_return lease;
}

/// Until the request is served, its time is over or it is cancelled.
runtime::Task<Lease> Pool::wait(Request request) {
    const SteadyTime began = std::chrono::steady_clock::now();
    Waiter& waiter = *request.waiter;
    if (!waiter.answered) {
        boost::system::error_code ignored;  // by time, by an answer or by cancellation: told apart below
        waiter.timer.expires_at(request.until);
        co_await waiter.timer.async_wait(boost::asio::redirect_error(runtime::use_task, ignored));
    }
    state_->wait_seconds.observe(seconds_since(began));
    if (!waiter.answered) {
        give_up(request);
        const boost::asio::cancellation_state cancellation = co_await boost::asio::this_coro::cancellation_state;
        if (cancellation.cancelled() != boost::asio::cancellation_type::none) {
            throw boost::system::system_error(boost::asio::error::operation_aborted);
        }
        state_->refused.add();
        const PoolCounts now = counts();
        throw db::internal::failure(
            ErrorKind::pool_exhausted, state_->source,
            fmt::format("no connection came free in {:.0f} ms: {} of {} in use, {} wait", seconds_since(began) * 1'000,
                        now.in_use, state_->settings.max, now.waiting));
    }
    if (waiter.granted.id() == 0) {
        throw db::internal::failure(ErrorKind::connection, state_->source, "the data source is closed");
    }
    co_return std::move(waiter.granted);
}

/// `place` keeps its place until then; whoever holds it gives it up when this throws.
runtime::Task<void> Pool::open(Lease& place, core::SteadyTime deadline) {
    std::unique_ptr<Link> link;
    try {
        link = co_await state_->connect(deadline);
    } catch (...) {  // counted and passed on
        state_->open_failures.add();
        throw;
    }
    state_->opened.add();
    place.replace(std::move(link));
    const std::lock_guard lock(state_->mutex);
    state_->fsm.opened(place.id(), std::chrono::steady_clock::now(), state_->random.unit());
}

/// Asks the shard where it rests for the connection.
void Pool::fetch(const Request& request) {
    std::shared_ptr<Part> from;
    {
        const std::lock_guard lock(state_->mutex);
        from = state_->parts.at(request.grant.from);
    }
    from->shard.post([pool = shared_from_this(), from, grant = request.grant, waiter = request.waiter] {
        auto taken = from->resting.extract(grant.link);
        SLUICE_ASSERT(!taken.empty(), "connection {} does not rest on its shard", grant.link);
        pool->send(waiter, grant, std::move(taken.mapped()));
    });
}

void Pool::give_up(const Request& request) {
    request.waiter->gone = true;
    if (request.grant.kind != PoolGrant::Kind::wait) return;
    const std::lock_guard lock(state_->mutex);
    if (state_->fsm.withdraw(request.grant.ticket)) state_->waiters.erase(request.grant.ticket);
    count();
}

void Pool::give_back(LinkId id, std::unique_ptr<Link> link) noexcept {
    const SteadyTime now = std::chrono::steady_clock::now();
    // A message that was dropped with its shard gives back from outside: there is nowhere to rest.
    if (runtime::Shard::current() == nullptr) link.reset();
    const std::shared_ptr<Part> part = link ? part_here() : nullptr;
    const bool healthy = link && link->usable();
    std::optional<PoolGrant> next;
    std::shared_ptr<Waiter> waiter;
    bool rests = false;
    {
        const std::lock_guard lock(state_->mutex);
        state_->borrowed.erase(id);
        next =
            link ? state_->fsm.release(id, part->index, healthy && !state_->closing, now) : state_->fsm.open_failed(id);
        rests = !next && state_->fsm.rests(id);
        if (next) waiter = std::move(state_->waiters.extract(next->ticket).mapped());
        count();
    }
    if (rests) part->resting.emplace(id, std::move(link));
    if (next && next->kind == PoolGrant::Kind::open) link.reset();
    if (next) send(waiter, *next, std::move(link));
    link.reset();
    tell_if_unused();
}

/// To the waiter's shard by message; this shard lets go of the connection first.
void Pool::send(const std::shared_ptr<Waiter>& waiter, const PoolGrant& grant, std::unique_ptr<Link> link) {
    if (link) link->leave_shard();
    waiter->part->shard.post([waiter, lease = Lease(shared_from_this(), grant.link, std::move(link))]() mutable {
        if (lease) lease.link().enter_shard();
        if (waiter->gone) return;  // the lease goes back
        waiter->granted = std::move(lease);
        waiter->answered = true;
        waiter->timer.cancel();
    });
}

PoolCounts Pool::counts() const {
    const std::lock_guard lock(state_->mutex);
    return state_->fsm.counts();
}

void Pool::count() {
    const PoolCounts now = state_->fsm.counts();
    state_->in_use.set(now.in_use);
    state_->idle.set(now.idle);
    state_->waiting.set(static_cast<double>(now.waiting));
}

std::shared_ptr<Pool::Part> Pool::part_here() {
    runtime::Shard* const shard = runtime::Shard::current();
    SLUICE_ASSERT(shard != nullptr, "the pool of {} is used outside of a shard", state_->source);
    std::shared_ptr<Part> made;
    {
        const std::lock_guard lock(state_->mutex);
        for (const std::shared_ptr<Part>& part : state_->parts) {
            if (&part->shard == shard) return part;
        }
        made = std::make_shared<Part>(*shard, static_cast<ShardIndex>(state_->parts.size()));
        state_->parts.push_back(made);
    }
    arm_sweep(made);
    return made;
}

}  // namespace sluice::db::pool
