// A time limit on what a coroutine waits for: rings once, unless it is gone by then.
//
//     internal::Alarm alarm(deadline);
//     const internal::Alarm::Ends ends(alarm, [&socket] { socket.cancel(); });
#pragma once

#include <functional>
#include <memory>

#include "sluice/core/clock.hpp"

namespace sluice::db::internal {

/// Belongs to the shard that made it. After its destruction nothing is called any more.
class Alarm {
public:
    explicit Alarm(core::SteadyTime at);
    ~Alarm();
    Alarm(const Alarm&) = delete;
    Alarm& operator=(const Alarm&) = delete;

    /// What ringing does while it lives; one at a time.
    class Ends {
    public:
        Ends(Alarm& alarm, std::function<void()> end);
        ~Ends();
        Ends(const Ends&) = delete;
        Ends& operator=(const Ends&) = delete;

    private:
        Alarm& alarm_;
    };

    [[nodiscard]] bool rang() const noexcept;

private:
    struct State;
    std::shared_ptr<State> state_;  // shared with the timer's handler
};

}  // namespace sluice::db::internal
