// What becomes of a message that failed once more. Pure.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "sluice/core/backoff.hpp"
#include "sluice/core/clock.hpp"
#include "sluice/outbox/settings.hpp"

namespace sluice::outbox {

struct RetryRules {
    core::Backoff backoff;
    std::optional<std::chrono::milliseconds> set_aside_after;
    std::optional<std::uint32_t> max_attempts;
    PoisonPolicy poison = PoisonPolicy::dead_letter;
};

/// `otherwise`: the processors' pauses, for what the subscription leaves open.
[[nodiscard]] RetryRules retry_rules(const SubscriptionSettings& settings, const core::Backoff& otherwise);

/// The failures of one message so far.
struct RetryState {
    std::uint32_t attempts = 0;     ///< failed tries
    core::SteadyTime first_failed;  ///< as this process saw it
    core::SteadyTime next_at;       ///< not tried before
};

enum class Verdict : std::uint8_t {
    try_again,    ///< at `next_at`; its lane (or its key, if that is set aside) waits
    set_aside,    ///< its key waits apart until `next_at`, its lane goes on
    dead_letter,  ///< it goes to the dead letters
    hold,         ///< its key waits apart until a person releases it
};

struct Judgement {
    Verdict verdict = Verdict::try_again;
    RetryState state;
};

/// What a failure is judged by besides the rules.
struct Failure {
    core::SteadyTime now;
    std::optional<std::chrono::milliseconds> after;  ///< the pause that the handler asked for
    double random01 = 0;
    bool apart = false;         ///< its key is set aside already
    bool room = true;           ///< one more key may be set aside
    std::size_t set_aside = 0;  ///< keys that the unit of work in hand has set aside already
};

/// `before`: the failures so far, attempts 0 if there were none. A lane never waits at one message beyond
/// `set_aside_after`: if the next pause would, the key is set aside at once. Where there is no room the lane waits.
[[nodiscard]] Judgement judge(const RetryRules& rules, RetryState before, const Failure& failure);

}  // namespace sluice::outbox
