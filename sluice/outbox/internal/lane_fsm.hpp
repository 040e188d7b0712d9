// What one lane of one subscription does next: a batch, a key that was set aside, or wait. Pure: no clock, no database.
//
//     const LaneStep step = fsm.next(now, waiting);
//     // the driver performs it in one unit of work and tells what came of it:
//     fsm.passed(count);  or  fsm.undone(count);  or  fsm.disturbed(now, random01);
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "sluice/outbox/internal/parked_keys.hpp"
#include "sluice/outbox/internal/retry.hpp"

namespace sluice::outbox {

struct LaneRules {
    std::uint32_t batch = 100;  ///< messages at most
    bool by_message = true;     ///< the handler takes single messages, so a failed batch is run again with savepoints
    std::uint32_t parked_keys = 10'000;
    RetryRules retry;
};

struct LaneStep {
    enum class Kind : std::uint8_t {
        idle,    ///< nothing to do until a message comes
        wait,    ///< until `until`, or until a message comes
        batch,   ///< the first `count` messages; with `careful` a savepoint each
        parked,  ///< the messages of `group` that wait apart
    };
    Kind kind = Kind::idle;
    core::SteadyTime until;
    std::uint32_t count = 0;
    bool careful = false;
    std::string group;
};

/// One step at a time: every step that is not `idle` or `wait` is answered before `next` is asked again.
class LaneFsm {
public:
    explicit LaneFsm(LaneRules rules);

    /// `waiting`: messages that the lane holds; `head`: the number of the first of them, if any.
    [[nodiscard]] LaneStep next(core::SteadyTime now, std::size_t waiting, std::int64_t head);

    /// The cursor moved past `count` messages (0: only the failure of the first one was recorded).
    void passed(std::uint32_t count);
    /// The unit with `count` messages was rolled back through some message's fault. Answers whether it was alone, so
    /// that the fault is known: then judge it.
    [[nodiscard]] bool undone(std::uint32_t count);
    /// The database failed, not a message: the lane pauses and tries the same again.
    void disturbed(core::SteadyTime now, double random01);
    /// A key's turn ended; what became of it was put into `parked`.
    void parked_done();

    /// Forgets failures and parked keys: they are loaded again.
    void start_over();

    /// Judges one more failure of message `number`; nothing changes until `failed`.
    [[nodiscard]] Judgement judge_failure(std::int64_t number, Failure failure) const;
    /// The failure is recorded (or was worth a try): the message waits as judged.
    void failed(std::int64_t number, RetryState state);
    /// The message is done with, whichever way.
    void forget(std::int64_t number);
    /// Failed tries of message `number` before this one.
    [[nodiscard]] std::uint32_t attempts(std::int64_t number) const;
    [[nodiscard]] const RetryState* retry_of(std::int64_t number) const;

    [[nodiscard]] ParkedKeys& parked() noexcept { return parked_; }
    [[nodiscard]] const ParkedKeys& parked() const noexcept { return parked_; }
    [[nodiscard]] const LaneRules& rules() const noexcept { return rules_; }
    /// The batch that would be taken now, at most.
    [[nodiscard]] std::uint32_t batch() const noexcept { return batch_; }
    /// A crash left a batch of `count` unfinished: begin with less.
    void begin_with(std::uint32_t count);

    /// Most messages between two savepoint releases of one unit.
    static constexpr std::uint32_t kPiece = 32;

private:
    LaneRules rules_;
    std::uint32_t batch_;
    std::uint32_t piece_ = kPiece;
    std::uint32_t careful_ = 0;  // messages that are still to be run with savepoints
    std::uint32_t disturbances_ = 0;
    core::SteadyTime paused_until_{};
    std::map<std::int64_t, RetryState> retries_;
    ParkedKeys parked_;
    bool parked_turn_ = false;
};

}  // namespace sluice::outbox
