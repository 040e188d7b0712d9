#include "sluice/outbox/internal/retry.hpp"

namespace sluice::outbox {

RetryRules retry_rules(const SubscriptionSettings& settings, const core::Backoff& otherwise) {
    RetryRules rules;
    rules.backoff = otherwise;
    if (settings.retry.base) rules.backoff.initial = *settings.retry.base;
    if (settings.retry.max) rules.backoff.max = *settings.retry.max;
    rules.set_aside_after = settings.set_aside_after;
    rules.max_attempts = settings.max_attempts;
    rules.poison = settings.poison;
    return rules;
}

Judgement judge(const RetryRules& rules, RetryState before, const Failure& failure) {
    Judgement judgement{Verdict::try_again, before};
    RetryState& state = judgement.state;
    if (state.attempts == 0) state.first_failed = failure.now;
    const std::chrono::nanoseconds pause = failure.after ? std::chrono::nanoseconds(*failure.after)
                                                         : rules.backoff.delay(state.attempts, failure.random01);
    ++state.attempts;
    state.next_at = failure.now + std::chrono::duration_cast<core::SteadyTime::duration>(pause);

    const bool spent = rules.max_attempts && state.attempts >= *rules.max_attempts;
    if (spent && rules.poison == PoisonPolicy::dead_letter) {
        judgement.verdict = Verdict::dead_letter;
    } else if (spent && rules.poison == PoisonPolicy::park_key) {
        if (failure.apart || failure.room) judgement.verdict = Verdict::hold;
    } else if (!failure.apart && failure.room && rules.poison != PoisonPolicy::block && rules.set_aside_after &&
               state.next_at - state.first_failed > *rules.set_aside_after) {
        judgement.verdict = Verdict::set_aside;
    }
    return judgement;
}

}  // namespace sluice::outbox
