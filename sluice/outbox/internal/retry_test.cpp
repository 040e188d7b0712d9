#include "sluice/outbox/internal/retry.hpp"

#include <gtest/gtest.h>

namespace sluice::outbox {
namespace {

using namespace std::chrono_literals;

const core::SteadyTime kStart{1h};

RetryRules rules() {
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
    const Judgement first = judge(rules(), {}, at(kStart));
    const Judgement second = judge(rules(), first.state, at(kStart + 100ms));

    EXPECT_EQ(first.verdict, Verdict::try_again);
    EXPECT_EQ(first.state.next_at, kStart + 100ms);
    EXPECT_EQ(second.state.attempts, 2U);
    EXPECT_EQ(second.state.first_failed, kStart);
    EXPECT_EQ(second.state.next_at, kStart + 300ms);
}

TEST(Retry, sets_the_key_aside_rather_than_wait_longer_than_its_lane_may) {
    const RetryState before{3, kStart, kStart + 700ms};

    const Judgement judgement = judge(rules(), before, at(kStart + 700ms));

    EXPECT_EQ(judgement.verdict, Verdict::set_aside);
    EXPECT_EQ(judgement.state.next_at, kStart + 1'500ms);
}

TEST(Retry, heeds_the_pause_that_the_handler_asks_for) {
    Failure failure = at(kStart);
    failure.after = 5s;

    const Judgement judgement = judge(rules(), {}, failure);

    EXPECT_EQ(judgement.verdict, Verdict::set_aside);
    EXPECT_EQ(judgement.state.next_at, kStart + 5s);
}

TEST(Retry, lets_the_lane_wait_when_no_further_key_may_be_set_aside) {
    Failure failure = at(kStart + 2s);
    failure.room = false;

    EXPECT_EQ(judge(rules(), {2, kStart, kStart}, failure).verdict, Verdict::try_again);
}

TEST(Retry, applies_the_policy_at_the_last_attempt) {
    RetryRules parking = rules();
    parking.poison = PoisonPolicy::park_key;
    RetryRules blocking = rules();
    blocking.poison = PoisonPolicy::block;
    RetryRules patient = rules();
    patient.max_attempts.reset();
    const RetryState before{4, kStart, kStart};

    EXPECT_EQ(judge(rules(), {3, kStart, kStart}, at(kStart)).verdict, Verdict::try_again);
    EXPECT_EQ(judge(rules(), before, at(kStart)).verdict, Verdict::dead_letter);
    EXPECT_EQ(judge(parking, before, at(kStart)).verdict, Verdict::hold);
    EXPECT_EQ(judge(blocking, before, at(kStart + 1h)).verdict, Verdict::try_again);
    EXPECT_EQ(judge(patient, {99, kStart, kStart}, at(kStart)).verdict, Verdict::set_aside);
}

TEST(Retry, keeps_a_key_apart_until_its_message_is_done_or_spent) {
    Failure failure = at(kStart + 1h);
    failure.apart = true;

    EXPECT_EQ(judge(rules(), {1, kStart, kStart}, failure).verdict, Verdict::try_again);
    EXPECT_EQ(judge(rules(), {4, kStart, kStart}, failure).verdict, Verdict::dead_letter);
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
