#include "sluice/runtime/wake.hpp"

#include <atomic>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

namespace sluice::runtime {
namespace {

using Timer = boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                                boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;

}  // namespace

struct Wake::State {
    explicit State(Shard& on) : shard(on), timer(on.executor()) {}

    void arrive() {
        notified = true;
        timer.cancel();
    }

    Shard& shard;
    Timer timer;
    bool notified = false;
    std::atomic<bool> on_its_way{false};  // at most one message from other threads
};

Wake::Wake(Shard& shard) : state_(std::make_shared<State>(shard)) {}
Wake::~Wake() = default;

void Wake::notify() {
    if (state_->shard.is_current()) return state_->arrive();
    if (state_->on_its_way.exchange(true)) return;
    state_->shard.post([state = state_] {
        state->on_its_way.store(false);
        state->arrive();
    });
}

Task<void> Wake::wait() {
    bool woken = false;
    while (!woken) {
        woken = co_await wait_for(std::chrono::hours(24));
    }
}

Task<bool> Wake::wait_for(std::chrono::steady_clock::duration limit) {
    const auto state = state_;
    if (std::exchange(state->notified, false)) co_return true;
    state->timer.expires_after(limit);
    const auto token = boost::asio::as_tuple(use_task);
    const auto [error] = co_await state->timer.async_wait(token);
    if (std::exchange(state->notified, false)) co_return true;
    if (error) throw boost::system::system_error(error);
    co_return false;
}

Task<void> sleep_for(std::chrono::steady_clock::duration duration) {
    Executor executor = co_await boost::asio::this_coro::executor;
    Timer timer(executor, duration);
    co_await timer.async_wait(use_task);
}

}  // namespace sluice::runtime
