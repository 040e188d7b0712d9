#include "sluice/db/internal/alarm.hpp"

#include <utility>

#include <boost/asio/steady_timer.hpp>

#include "sluice/core/assert.hpp"
#include "sluice/runtime/shard.hpp"

namespace sluice::db::internal {
namespace {

using AlarmTimer =
    boost::asio::basic_waitable_timer<std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>,
                                      runtime::Executor>;

runtime::Executor alarm_executor() {
    runtime::Shard* const shard = runtime::Shard::current();
    SLUICE_ASSERT(shard != nullptr, "a database connection is used outside of a shard");
    return shard->executor();
}

}  // namespace

struct Alarm::State {
    explicit State(core::SteadyTime at) : timer(alarm_executor(), at) {}
    AlarmTimer timer;
    std::function<void()> end;
    bool rang = false;
};

Alarm::Alarm(core::SteadyTime at) : state_(std::make_shared<State>(at)) {
    state_->timer.async_wait([state = state_](boost::system::error_code stopped) {
        if (stopped) return;
        state->rang = true;
        if (state->end) state->end();
    });
}

Alarm::~Alarm() {
    state_->end = nullptr;
    state_->timer.cancel();
}

Alarm::Ends::Ends(Alarm& alarm, std::function<void()> end) : alarm_(alarm) {
    alarm.state_->end = std::move(end);
}

Alarm::Ends::~Ends() {
    alarm_.state_->end = nullptr;
}

bool Alarm::rang() const noexcept {
    return state_->rang;
}

}  // namespace sluice::db::internal
