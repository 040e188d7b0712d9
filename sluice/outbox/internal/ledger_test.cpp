#include "sluice/outbox/internal/ledger.hpp"

#include <gtest/gtest.h>

#include "sluice/outbox/lane_hash.hpp"

namespace sluice::outbox {
namespace {

using namespace std::chrono_literals;

const core::SystemTime kNow{1'700'000'000s};

Ledger with_queue(std::uint16_t lanes) {
    Ledger ledger;
    ledger.declare(1, lanes);
    return ledger;
}

TEST(Ledger, numbers_densely_per_lane_and_over_all) {
    Ledger ledger = with_queue(4);
    const std::vector<NewMessage> messages = {{3, 1, "a"}, {5, 1, "b"}, {6, 1, "a"}};

    const Plan plan = ledger.plan(messages, kNow);

    EXPECT_EQ(plan.tick.n, 1);
    EXPECT_EQ(plan.tick.lowest_id, 3);
    EXPECT_EQ(plan.tick.highest_id, 6);
    EXPECT_EQ(plan.tick.count(), 3);
    EXPECT_EQ(plan.placements[0]->sequence, core::Sequence(1));
    EXPECT_EQ(plan.placements[2]->sequence, core::Sequence(2));
    EXPECT_EQ(plan.placements[2]->lane, lane_of("a", 0, 4));
    EXPECT_EQ(plan.placements[2]->position, core::Position(3));
}

TEST(Ledger, goes_on_only_once_a_tick_is_applied) {
    Ledger ledger = with_queue(1);
    const std::vector<NewMessage> first = {{1, 1, "a"}};
    const Plan rolled_back = ledger.plan(first, kNow);

    const Plan again = ledger.plan(first, kNow);
    ASSERT_TRUE(ledger.apply(again.tick));
    const std::vector<NewMessage> second = {{2, 1, "a"}};
    const Plan next = ledger.plan(second, kNow);

    EXPECT_EQ(rolled_back.tick.n, again.tick.n);
    EXPECT_EQ(next.tick.n, 2);
    EXPECT_EQ(next.placements[0]->sequence, core::Sequence(2));
    EXPECT_EQ(ledger.head(), core::Position(1));
}

TEST(Ledger, begins_its_epoch_with_the_clock_and_keeps_it) {
    Ledger ledger = with_queue(1);
    const std::vector<NewMessage> first = {{1, 1, ""}};
    const Plan plan = ledger.plan(first, kNow);
    ASSERT_TRUE(ledger.apply(plan.tick));
    const std::vector<NewMessage> second = {{2, 1, ""}};

    const Plan later = ledger.plan(second, kNow + 1h);

    EXPECT_EQ(plan.tick.epoch, core::Epoch(1'700'000'000'000));
    EXPECT_EQ(later.tick.epoch, plan.tick.epoch);
}

TEST(Ledger, leaves_a_message_of_an_unknown_queue_unnumbered_but_covers_its_id) {
    Ledger ledger = with_queue(1);
    const std::vector<NewMessage> messages = {{1, 17, "a"}, {2, 1, "a"}, {3, 18, ""}};

    const Plan plan = ledger.plan(messages, kNow);
    ASSERT_TRUE(ledger.apply(plan.tick));

    EXPECT_FALSE(plan.placements[0]);
    EXPECT_EQ(plan.placements[1]->position, core::Position(1));
    EXPECT_FALSE(plan.placements[2]);
    EXPECT_EQ(ledger.highest_id(), 3);
}

TEST(Ledger, takes_a_tick_without_messages) {
    Ledger ledger = with_queue(1);
    const std::vector<NewMessage> strange = {{1, 17, "a"}};

    ASSERT_TRUE(ledger.apply(ledger.plan(strange, kNow).tick));

    EXPECT_EQ(ledger.newest(), 1);
    EXPECT_EQ(ledger.head(), core::Position(0));
}

TEST(Ledger, is_restored_from_a_checkpoint_and_what_follows) {
    Ledger ledger = with_queue(2);
    std::vector<Tick> ticks;
    for (std::int64_t id = 1; id <= 2'500; ++id) {
        const std::vector<NewMessage> message = {{id, 1, id % 3 == 0 ? "a" : "b"}};
        ticks.push_back(ledger.plan(message, kNow).tick);
        ASSERT_TRUE(ledger.apply(ticks.back()));
    }

    Ledger restored = with_queue(2);
    for (std::size_t i = 1'999; i < ticks.size(); ++i)
        ASSERT_TRUE(restored.apply(ticks[i]));

    EXPECT_TRUE(ticks[0].checkpoint);
    EXPECT_TRUE(ticks[999].checkpoint);
    EXPECT_FALSE(ticks[1'000].checkpoint);
    EXPECT_EQ(restored.checkpoint(), ledger.checkpoint());
    EXPECT_EQ(restored.head(), ledger.head());
}

TEST(Ledger, refuses_ticks_that_do_not_chain) {
    Ledger ledger = with_queue(1);
    const std::vector<NewMessage> first = {{10, 1, "a"}};
    const Tick good = ledger.plan(first, kNow).tick;
    ASSERT_TRUE(ledger.apply(good));
    const std::vector<NewMessage> second = {{11, 1, "a"}};
    const Tick next = ledger.plan(second, kNow).tick;

    Tick skipped = next;
    skipped.n = 3;
    Tick shifted = next;
    shifted.first_position = core::Position(9);
    Tick overlapping = next;
    overlapping.lowest_id = 10;
    Tick gapped = next;
    gapped.runs[0].first = core::Sequence(7);
    Tick older = next;
    older.epoch = core::Epoch(1);

    EXPECT_EQ(ledger.apply(skipped).error(), "tick 3 follows tick 1");
    EXPECT_EQ(ledger.apply(shifted).error(), "tick 2 begins at position 9, not 2");
    EXPECT_EQ(ledger.apply(overlapping).error(), "tick 2 covers ids 10 to 11 after id 10");
    EXPECT_EQ(ledger.apply(gapped).error(), "tick 2 begins lane 0 of queue 1 at 7, not 2");
    EXPECT_FALSE(ledger.apply(older));
    EXPECT_TRUE(ledger.apply(next));
}

}  // namespace
}  // namespace sluice::outbox
