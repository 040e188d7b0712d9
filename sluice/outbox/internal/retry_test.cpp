#include "sluice/outbox/internal/retry.hpp"

#include <gtest/gtest.h>

namespace sluice::outbox {
namespace {

using namespace std::chrono_literals;

const core::SteadyTime kRetryStart{1h};

RetryRules retry_rules() {
    RetryRules made;
    made.backoff = {.initial = 100ms, .max = 10s, .multiplier = 2, .jitter = 0};
    made.set_aside_after = 1s;
    made.max_attempts = 5;
    return made;
}

Failure at(core::SteadyTime now) {
    Failure failure;
    failure.now = now;
    return failure;
}

TEST(Retry, doubles_the_pause_from_the_first_failure_on) {
    const Judgement first = judge(retry_rules(), {}, at(kRetryStart));
    const Judgement second = judge(retry_rules(), first.state, at(kRetryStart + 100ms));

    EXPECT_EQ(first.verdict, Verdict::try_again);
    EXPECT_EQ(first.state.next_at, kRetryStart + 100ms);
    EXPECT_EQ(second.state.attempts, 2U);
    EXPECT_EQ(second.state.first_failed, kRetryStart);
    EXPECT_EQ(second.state.next_at, kRetryStart + 300ms);
}

TEST(Retry, sets_the_key_aside_rather_than_wait_longer_than_its_lane_may) {
    const RetryState before{3, kRetryStart, kRetryStart + 700ms};

    const Judgement judgement = judge(retry_rules(), before, at(kRetryStart + 700ms));

    EXPECT_EQ(judgement.verdict, Verdict::set_aside);
    EXPECT_EQ(judgement.state.next_at, kRetryStart + 1'500ms);
}

TEST(Retry, heeds_the_pause_that_the_handler_asks_for) {
    Failure failure = at(kRetryStart);
    failure.after = 5s;

    const Judgement judgement = judge(retry_rules(), {}, failure);

    EXPECT_EQ(judgement.verdict, Verdict::set_aside);
    EXPECT_EQ(judgement.state.next_at, kRetryStart + 5s);
}

TEST(Retry, lets_the_lane_wait_when_no_further_key_may_be_set_aside) {
    Failure failure = at(kRetryStart + 2s);
    failure.room = false;

    EXPECT_EQ(judge(retry_rules(), {2, kRetryStart, kRetryStart}, failure).verdict, Verdict::try_again);
}

TEST(Retry, applies_the_policy_at_the_last_attempt) {
    RetryRules parking = retry_rules();
    parking.poison = PoisonPolicy::park_key;
    RetryRules blocking = retry_rules();
    blocking.poison = PoisonPolicy::block;
    RetryRules patient = retry_rules();
    patient.max_attempts.reset();
    const RetryState before{4, kRetryStart, kRetryStart};

    EXPECT_EQ(judge(retry_rules(), {3, kRetryStart, kRetryStart}, at(kRetryStart)).verdict, Verdict::try_again);
    EXPECT_EQ(judge(retry_rules(), before, at(kRetryStart)).verdict, Verdict::dead_letter);
    EXPECT_EQ(judge(parking, before, at(kRetryStart)).verdict, Verdict::hold);
    EXPECT_EQ(judge(blocking, before, at(kRetryStart + 1h)).verdict, Verdict::try_again);
    EXPECT_EQ(judge(patient, {99, kRetryStart, kRetryStart}, at(kRetryStart)).verdict, Verdict::set_aside);
}

TEST(Retry, keeps_a_key_apart_until_its_message_is_done_or_spent) {
    Failure failure = at(kRetryStart + 1h);
    failure.apart = true;

    EXPECT_EQ(judge(retry_rules(), {1, kRetryStart, kRetryStart}, failure).verdict, Verdict::try_again);
    EXPECT_EQ(judge(retry_rules(), {4, kRetryStart, kRetryStart}, failure).verdict, Verdict::dead_letter);
}

TEST(Retry, takes_from_the_processor_what_the_subscription_leaves_open) {
    SubscriptionSettings settings;
    settings.retry.max = 3s;

    const RetryRules made = retry_rules(settings, core::Backoff{.initial = 7ms, .max = 9s});

    EXPECT_EQ(made.backoff.initial, 7ms);
    EXPECT_EQ(made.backoff.max, 3s);
    EXPECT_EQ(made.max_attempts, 16U);
    EXPECT_EQ(made.set_aside_after, 1s);
}

}  // namespace
}  // namespace sluice::outbox
