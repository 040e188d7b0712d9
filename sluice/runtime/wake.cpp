#include "sluice/runtime/wake.hpp"

#include <atomic>

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include "sluice/core/assert.hpp"

namespace sluice::runtime {
namespace {

using Steady = std::chrono::steady_clock;
using Timer = boost::asio::basic_waitable_timer<Steady, boost::asio::wait_traits<Steady>, Executor>;

/// `now + limit`, or the end of time when that would overflow.
Steady::time_point expiry_after(Steady::duration limit) {
    const auto now = Steady::now();
    return limit > Steady::time_point::max() - now ? Steady::time_point::max() : now + limit;
}

}  // namespace

struct Wake::State {
    explicit State(Shard& owner) : shard(owner), timer(owner.executor()) {}

    Shard& shard;
    // Sequentially consistent both: `notify` sets the first, then looks at the second; its message the other way round.
    std::atomic<bool> notified{false};
    std::atomic<bool> in_flight{false};  // one message at most is on its way
    Timer timer;
    bool waiting = false;
    bool taken = false;  // by `deliver`, for the waiter

    void deliver() {
        if (!waiting || taken || !notified.exchange(false)) return;
        taken = true;
        timer.cancel();
    }

    static Task<bool> wait_until(std::shared_ptr<State> state, Steady::time_point until) {
        SLUICE_ASSERT(state->shard.is_current(), "a wake of shard {} is waited for elsewhere", state->shard.index());
        SLUICE_ASSERT(!state->waiting, "two coroutines wait for one wake on shard {}", state->shard.index());
        if (state->notified.exchange(false)) co_return true;
        state->waiting = true;
        state->taken = false;
        state->timer.expires_at(until);
        boost::system::error_code ended;
        co_await state->timer.async_wait(boost::asio::redirect_error(use_task, ended));
        state->waiting = false;
        if (state->taken) co_return true;
        if (ended) throw boost::system::system_error(ended);
        co_return state->notified.exchange(false);
    }
};

Wake::Wake(Shard& shard) : state_(std::make_shared<State>(shard)) {}
Wake::~Wake() = default;

void Wake::notify() {
    state_->notified.store(true);
    if (state_->shard.is_current()) return state_->deliver();
    if (state_->in_flight.exchange(true)) return;
    state_->shard.post([state = state_] {
        state->in_flight.store(false);
        state->deliver();
    });
}

Task<void> Wake::wait() {
    const bool woken = co_await State::wait_until(state_, Steady::time_point::max());
    SLUICE_ASSERT(woken, "a wait without limit on shard {} ran out", state_->shard.index());
}

Task<bool> Wake::wait_for(Steady::duration limit) {
    return State::wait_until(state_, expiry_after(limit));
}

Task<void> sleep_for(Steady::duration duration) {
    const Executor executor = co_await boost::asio::this_coro::executor;
    Timer timer(executor);
    timer.expires_at(expiry_after(duration));
    co_await timer.async_wait(use_task);
}

}  // namespace sluice::runtime
