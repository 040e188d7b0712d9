#include "sluice/outbox/internal/lane_fsm.hpp"

#include <gtest/gtest.h>

namespace sluice::outbox {
namespace {

using namespace std::chrono_literals;
using Kind = LaneStep::Kind;

const core::SteadyTime kStart{1h};

LaneRules rules(bool by_message = true) {
    LaneRules made;
    made.batch = 100;
    made.by_message = by_message;
    made.parked_keys = 2;
    made.retry.backoff = {.initial = 100ms, .max = 10s, .multiplier = 2, .jitter = 0};
    made.retry.set_aside_after = 1s;
    made.retry.max_attempts = 5;
    return made;
}

RetryState retry_at(core::SteadyTime time) {
    return {1, kStart, time};
}

TEST(LaneFsm, rests_without_messages_and_takes_a_batch_of_what_there_is) {
    LaneFsm fsm(rules());

    EXPECT_EQ(fsm.next(kStart, 0, 0).kind, Kind::idle);
    const LaneStep some = fsm.next(kStart, 7, 1);
    const LaneStep many = fsm.next(kStart, 1'000, 1);

    EXPECT_EQ(some.kind, Kind::batch);
    EXPECT_EQ(some.count, 7U);
    EXPECT_FALSE(some.careful);
    EXPECT_EQ(many.count, 100U);
}

TEST(LaneFsm, runs_a_failed_batch_of_messages_again_in_pieces_with_savepoints) {
    LaneFsm fsm(rules());
    EXPECT_FALSE(fsm.undone(100));

    LaneStep step = fsm.next(kStart, 200, 1);
    EXPECT_TRUE(step.careful);
    EXPECT_EQ(step.count, 32U);
    fsm.passed(32);
    fsm.passed(32);
    fsm.passed(32);
    EXPECT_EQ(fsm.next(kStart, 104, 97).count, 4U);
    fsm.passed(4);

    step = fsm.next(kStart, 100, 101);
    EXPECT_FALSE(step.careful);
    EXPECT_EQ(step.count, 100U);
}

TEST(LaneFsm, halves_a_piece_whose_commit_fails_until_the_culprit_is_alone) {
    LaneFsm fsm(rules());
    EXPECT_FALSE(fsm.undone(100));
    EXPECT_FALSE(fsm.undone(32));
    EXPECT_EQ(fsm.next(kStart, 100, 1).count, 16U);
    EXPECT_FALSE(fsm.undone(16));
    EXPECT_FALSE(fsm.undone(8));
    EXPECT_FALSE(fsm.undone(4));
    EXPECT_FALSE(fsm.undone(2));
    EXPECT_EQ(fsm.next(kStart, 100, 1).count, 1U);

    EXPECT_TRUE(fsm.undone(1));
}

TEST(LaneFsm, halves_a_failed_batch_of_a_batch_handler_and_doubles_it_back) {
    LaneFsm fsm(rules(false));
    EXPECT_FALSE(fsm.undone(100));
    LaneStep step = fsm.next(kStart, 100, 1);
    EXPECT_EQ(step.count, 50U);
    EXPECT_FALSE(step.careful);

    fsm.passed(50);
    EXPECT_EQ(fsm.next(kStart, 500, 51).count, 100U);
    fsm.passed(100);
    EXPECT_EQ(fsm.next(kStart, 500, 151).count, 100U);
}

TEST(LaneFsm, knows_the_culprit_of_a_batch_of_one) {
    LaneFsm by_message(rules());
    LaneFsm by_batch(rules(false));

    EXPECT_TRUE(by_message.undone(1));
    EXPECT_TRUE(by_batch.undone(1));
}

TEST(LaneFsm, waits_for_the_retry_of_its_first_message_whatever_arrives) {
    LaneFsm fsm(rules());
    fsm.failed(1, retry_at(kStart + 300ms));

    const LaneStep early = fsm.next(kStart + 100ms, 1, 1);
    const LaneStep with_more = fsm.next(kStart + 200ms, 500, 1);
    const LaneStep due = fsm.next(kStart + 300ms, 500, 1);

    EXPECT_EQ(early.kind, Kind::wait);
    EXPECT_EQ(early.until, kStart + 300ms);
    EXPECT_EQ(with_more.kind, Kind::wait);
    EXPECT_EQ(due.kind, Kind::batch);
    EXPECT_EQ(fsm.attempts(1), 1U);
}

TEST(LaneFsm, goes_on_at_once_when_the_failed_message_is_gone) {
    LaneFsm fsm(rules());
    fsm.failed(1, retry_at(kStart + 1h));
    fsm.passed(1);
    fsm.forget(1);

    EXPECT_EQ(fsm.next(kStart, 1, 2).kind, Kind::batch);
}

TEST(LaneFsm, pauses_longer_with_each_disturbance_and_starts_afresh_after_a_success) {
    LaneFsm fsm(rules());
    fsm.disturbed(kStart, 0);
    EXPECT_EQ(fsm.next(kStart, 5, 1).until, kStart + 100ms);
    fsm.disturbed(kStart, 0);
    EXPECT_EQ(fsm.next(kStart, 5, 1).until, kStart + 200ms);
    EXPECT_EQ(fsm.next(kStart + 200ms, 5, 1).kind, Kind::batch);

    fsm.passed(5);
    fsm.disturbed(kStart + 1s, 0);

    EXPECT_EQ(fsm.next(kStart + 1s, 5, 6).until, kStart + 1'100ms);
}

TEST(LaneFsm, takes_turns_between_its_batches_and_keys_that_are_due) {
    LaneFsm fsm(rules());
    fsm.parked().put("1/a", {retry_at(kStart), false});

    EXPECT_EQ(fsm.next(kStart, 5, 1).kind, Kind::batch);
    fsm.passed(5);
    const LaneStep turn = fsm.next(kStart, 5, 6);
    EXPECT_EQ(turn.kind, Kind::parked);
    EXPECT_EQ(turn.group, "1/a");
    fsm.parked().put("1/a", {retry_at(kStart), false});
    fsm.parked_done();

    EXPECT_EQ(fsm.next(kStart, 5, 6).kind, Kind::batch);
}

TEST(LaneFsm, tries_a_due_key_while_its_lane_waits_and_wakes_for_whichever_comes_first) {
    LaneFsm fsm(rules());
    fsm.failed(1, retry_at(kStart + 5s));
    fsm.parked().put("1/a", {retry_at(kStart + 2s), false});

    EXPECT_EQ(fsm.next(kStart, 5, 1).until, kStart + 2s);
    EXPECT_EQ(fsm.next(kStart + 2s, 5, 1).kind, Kind::parked);
    EXPECT_EQ(fsm.next(kStart, 0, 0).until, kStart + 2s);
}

TEST(LaneFsm, sets_no_further_key_aside_at_its_limit) {
    LaneFsm fsm(rules());
    Failure late;
    late.now = kStart + 10s;
    fsm.failed(1, {2, kStart, kStart});
    EXPECT_EQ(fsm.judge_failure(1, late).verdict, Verdict::set_aside);

    fsm.parked().put("1/a", {retry_at(kStart), false});
    fsm.parked().put("1/b", {retry_at(kStart), false});

    EXPECT_EQ(fsm.judge_failure(1, late).verdict, Verdict::try_again);
}

TEST(LaneFsm, counts_keys_that_the_unit_in_hand_has_set_aside_against_its_limit) {
    LaneFsm fsm(rules());
    fsm.parked().put("a", ParkedKey{});
    Failure failure;
    failure.now = kStart;
    failure.after = 1h;

    EXPECT_EQ(fsm.judge_failure(5, failure).verdict, Verdict::set_aside);
    failure.set_aside = 1;
    EXPECT_EQ(fsm.judge_failure(5, failure).verdict, Verdict::try_again);
}

TEST(LaneFsm, begins_small_after_a_crash) {
    LaneFsm fsm(rules(false));
    fsm.begin_with(3);
    EXPECT_EQ(fsm.next(kStart, 50, 1).count, 3U);
    fsm.passed(3);
    EXPECT_EQ(fsm.next(kStart, 50, 4).count, 6U);
}

}  // namespace
}  // namespace sluice::outbox
