// A deadline on what a connection waits for. It only marks and cancels; whoever waits asks whether it was the watch.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include <boost/asio/steady_timer.hpp>

#include "sluice/runtime/task.hpp"

namespace sluice::http::internal {

/// One deadline at a time. On its shard.
class Watch {
public:
    explicit Watch(runtime::Executor executor) : state_(std::make_shared<State>(executor)) {}
    ~Watch() { disarm(); }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    /// Calls `expire` once after `limit`, unless disarmed or armed again before.
    void arm(std::chrono::steady_clock::duration limit, std::function<void()> expire) {
        disarm();
        state_->fired = false;
        state_->expire = std::move(expire);
        state_->timer.expires_after(limit);
        state_->timer.async_wait([state = state_, round = state_->round](const boost::system::error_code& error) {
            if (error || state->round != round) return;
            state->fired = true;
            state->expire();
        });
    }
    void disarm() noexcept {
        ++state_->round;  // a completion that is queued already must not fire
        state_->timer.cancel();
    }
    [[nodiscard]] bool fired() const noexcept { return state_->fired; }

private:
    struct State {
        explicit State(runtime::Executor executor) : timer(executor) {}
        boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                          boost::asio::wait_traits<std::chrono::steady_clock>, runtime::Executor>
            timer;
        std::function<void()> expire;
        std::uint64_t round = 0;
        bool fired = false;
    };
    std::shared_ptr<State> state_;  // shared with the timer's completion
};

}  // namespace sluice::http::internal
