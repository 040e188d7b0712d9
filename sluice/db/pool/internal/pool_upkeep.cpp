// What a pool does by itself: closing the old, opening up to `min_idle`, naming who keeps a connection, closing.
#include <fmt/format.h>
#include <boost/asio/co_spawn.hpp>

#include "sluice/db/error.hpp"
#include "sluice/db/pool/internal/pool.hpp"
#include "sluice/db/pool/internal/pool_state.hpp"
#include "sluice/runtime/foreign.hpp"

namespace sluice::db::pool {

void Pool::arm_sweep(const std::shared_ptr<Part>& part) {
    {
        const std::lock_guard lock(state_->mutex);
        if (state_->closing) return;
    }
    part->sweep_timer.expires_after(state_->settings.sweep_interval);
    part->sweep_timer.async_wait([weak = weak_from_this(), part](boost::system::error_code stopped) {
        const std::shared_ptr<Pool> pool = weak.lock();
        if (stopped || !pool) return;
        pool->sweep(*part);
        pool->refill(*part);
        pool->arm_sweep(part);
    });
}

void Pool::sweep(Part& part) {
    std::vector<LinkId> old;
    {
        const std::lock_guard lock(state_->mutex);
        const SteadyTime now = std::chrono::steady_clock::now();
        old = state_->fsm.sweep(part.index, now);
        report_leaks(now);
        count();
    }
    for (LinkId id : old)
        part.resting.erase(id);
}

void Pool::report_leaks(SteadyTime now) {
    for (auto& [id, borrowed] : state_->borrowed) {
        if (borrowed.reported || now - borrowed.since < state_->settings.leak_age) continue;
        borrowed.reported = true;
        state_->leaks.add();
        state_->log.warn("{}: a connection borrowed at {}:{} has been kept for {} s; is it given back?", state_->source,
                         borrowed.borrower.file_name(), borrowed.borrower.line(),
                         std::chrono::duration_cast<std::chrono::seconds>(now - borrowed.since).count());
    }
}

void Pool::refill(Part& part) {
    std::optional<PoolGrant> grant;
    {
        const std::lock_guard lock(state_->mutex);
        if (!state_->closing) grant = state_->fsm.refill();
    }
    if (!grant) return;
    Lease place(shared_from_this(), grant->link, nullptr);
    // `close` waits for it: what is being opened counts as in use.
    boost::asio::co_spawn(part.shard.executor(), open_one_more(std::move(place)),
                          [pool = shared_from_this()](std::exception_ptr error) {
                              if (error) pool->log_failure(error);
                          });
}

runtime::Task<void> Pool::open_one_more(Lease place) {
    co_await open(place, std::chrono::steady_clock::now() + state_->settings.acquire_timeout);
}

void Pool::log_failure(const std::exception_ptr& error) const {
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& failure) {
        state_->log.warn("cannot keep {} connections open: {}", state_->settings.min_idle, failure.what());
    }
}

runtime::Task<void> Pool::close() {
    std::vector<std::shared_ptr<Waiter>> refused;
    {
        const std::lock_guard lock(state_->mutex);
        state_->closing = true;
        for (auto& [ticket, waiter] : state_->waiters) {
            static_cast<void>(state_->fsm.withdraw(ticket));
            refused.push_back(std::move(waiter));
        }
        state_->waiters.clear();
        count();
    }
    for (const std::shared_ptr<Waiter>& waiter : refused) {
        waiter->part->shard.post([waiter] {
            waiter->answered = true;  // by no lease
            waiter->timer.cancel();
        });
    }
    auto until_unused = [this](runtime::Answer<bool> unused) {
        // std::function wants a copyable callable.
        auto shared = std::make_shared<runtime::Answer<bool>>(std::move(unused));
        {
            const std::lock_guard lock(state_->mutex);
            state_->when_unused.push_back([shared] { (*shared)(true); });
        }
        tell_if_unused();
    };
    co_await runtime::await_foreign<bool>(until_unused);
    std::vector<std::shared_ptr<Part>> parts;
    {
        const std::lock_guard lock(state_->mutex);
        parts = state_->parts;
    }
    for (const std::shared_ptr<Part>& part : parts)
        co_await close_part(part);
}

runtime::Task<void> Pool::close_part(std::shared_ptr<Part> part) {
    auto on_its_shard = [this, part](runtime::Answer<bool> closed) {
        part->shard.post([this, part, closed = std::move(closed)]() mutable {
            part->sweep_timer.cancel();
            {
                const std::lock_guard lock(state_->mutex);
                static_cast<void>(state_->fsm.drain(part->index));
                count();
            }
            part->resting.clear();
            closed(true);
        });
    };
    co_await runtime::await_foreign<bool>(on_its_shard);
}

void Pool::tell_if_unused() {
    std::vector<std::function<void()>> tell;
    {
        const std::lock_guard lock(state_->mutex);
        if (!state_->closing || state_->fsm.counts().in_use > 0) return;
        tell.swap(state_->when_unused);
    }
    for (const std::function<void()>& unused : tell)
        unused();
}

}  // namespace sluice::db::pool
