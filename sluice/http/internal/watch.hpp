// A deadline on what a connection waits for. It only marks and cancels; whoever waits asks whether it was the watch.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include <boost/asio/steady_timer.hpp>

#include "sluice/runtime/task.hpp"

namespace sluice::http::internal {

/// One deadline at a time. On its shard. Every request sets three and hardly one passes, so a timer that is under way
/// stays: when it rings it looks whether there is a deadline, and waits on if it is a later one.
class Watch {
public:
    explicit Watch(runtime::Executor executor) : state_(std::make_shared<State>(executor)) {}
    ~Watch() {
        disarm();
        ++state_->round;  // a completion that is queued already must not wait again
        state_->timer.cancel();
    }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    /// Calls `expire` once after `limit`, unless disarmed or armed again before.
    void arm(std::chrono::steady_clock::duration limit, std::function<void()> expire) {
        State& state = *state_;
        state.armed = true;
        state.fired = false;
        state.expire = std::move(expire);
        state.deadline = std::chrono::steady_clock::now() + limit;
        if (!state.waiting || state.deadline < state.timer.expiry()) wait(state_);
    }
    void disarm() noexcept { state_->armed = false; }
    [[nodiscard]] bool fired() const noexcept { return state_->fired; }

private:
    struct State {
        explicit State(runtime::Executor executor) : timer(executor) {}
        boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                          boost::asio::wait_traits<std::chrono::steady_clock>, runtime::Executor>
            timer;
        std::chrono::steady_clock::time_point deadline;
        std::function<void()> expire;
        std::uint64_t round = 0;  ///< of the wait that counts
        bool armed = false;
        bool waiting = false;
        bool fired = false;
    };

    static void wait(const std::shared_ptr<State>& state) {
        state->waiting = true;
        state->timer.expires_at(state->deadline);
        state->timer.async_wait([state, round = ++state->round](const boost::system::error_code& error) {
            if (!error && state->round == round) ring(state);
        });
    }
    static void ring(const std::shared_ptr<State>& state) {
        state->waiting = false;
        if (!state->armed) return;
        if (std::chrono::steady_clock::now() < state->deadline) return wait(state);
        state->armed = false;
        state->fired = true;
        state->expire();
    }

    std::shared_ptr<State> state_;  // shared with the timer's completion
};

}  // namespace sluice::http::internal
