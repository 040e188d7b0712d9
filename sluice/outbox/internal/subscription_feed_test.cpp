#include "sluice/outbox/internal/subscription_feed.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sluice/core/random.hpp"
#include "sluice/testing/scale.hpp"

namespace sluice::outbox {
namespace {

using ::testing::ElementsAre;

/// A log of one queue (number 1) and another (2), as the ledger would have it.
class FakeLog {
public:
    /// One tick with a message per (queue, lane).
    Tick tick(const std::vector<std::pair<std::int32_t, std::uint16_t>>& messages) {
        Tick tick;
        tick.n = static_cast<std::int64_t>(ticks_.size()) + 1;
        tick.first_position = core::Position(static_cast<std::int64_t>(log_.size()) + 1);
        tick.lowest_id = next_id_;
        std::map<LaneRef, LaneRun> runs;
        for (const auto& [queue, lane] : messages) {
            const LaneRef ref{queue, core::LaneId(lane)};
            Message message;
            message.id = core::MessageId(next_id_);
            message.lane = ref.lane;
            message.sequence = core::Sequence(++heads_[ref]);
            message.position = core::Position(static_cast<std::int64_t>(log_.size()) + 1);
            message.payload = std::string(payload_bytes, 'x');
            LaneRun& run = runs[ref];
            run.lane = ref;
            if (run.ids.empty()) run.first = message.sequence;
            run.ids.push_back(next_id_++);
            log_.push_back({std::make_shared<const Message>(std::move(message)), queue, tick.n});
        }
        tick.highest_id = next_id_ - 1;
        for (auto& [lane, run] : runs)
            tick.runs.push_back(run);
        ticks_.push_back(tick);
        return tick;
    }
    /// Everything behind `from`, at most `limit` messages.
    [[nodiscard]] LogSlice read(ReadPoint from, std::size_t limit) const {
        LogSlice slice;
        slice.begin = slice.end = from;
        for (const LoggedMessage& logged : log_) {
            if (logged.point() <= from) {
                slice.after = slice.up_to = logged.message->position;
                continue;
            }
            if (slice.messages.size() == limit) return slice;
            slice.messages.push_back(logged);
            slice.up_to = logged.message->position;
            slice.end = logged.point();
        }
        slice.end = {static_cast<std::int64_t>(ticks_.size()) + 1, 0};
        return slice;
    }
    [[nodiscard]] LogSlice slice_of(const Tick& tick) const {
        LogSlice slice = read({tick.n, 0}, 1'000'000);
        std::erase_if(slice.messages, [&](const LoggedMessage& logged) { return logged.tick != tick.n; });
        slice.end = {tick.n + 1, 0};
        slice.after = core::Position(tick.first_position.value() - 1);
        slice.up_to = core::Position(slice.after.value() + tick.count());
        return slice;
    }
    [[nodiscard]] std::int64_t head(std::int32_t queue, std::uint16_t lane) {
        return heads_[{queue, core::LaneId(lane)}];
    }
    [[nodiscard]] std::size_t size() const { return log_.size(); }
    std::size_t payload_bytes = 10;

private:
    std::vector<LoggedMessage> log_;
    std::vector<Tick> ticks_;
    std::map<LaneRef, std::int64_t> heads_;
    std::int64_t next_id_ = 1;
};

SubscriptionFeed by_lane(std::size_t lanes, FeedLimits limits = {}) {
    SubscriptionFeed feed(Order::by_lane, {1}, limits);
    for (std::size_t i = 0; i < lanes; ++i)
        feed.add_lane(0, {1, 0});
    return feed;
}

void show(SubscriptionFeed& feed, const FakeLog& log, const Tick& tick) {
    feed.saw(tick);
    ASSERT_TRUE(feed.offer(log.slice_of(tick)));
}

TEST(SubscriptionFeed, gives_each_lane_its_messages_as_ticks_arrive) {
    FakeLog log;
    SubscriptionFeed feed = by_lane(2);
    const Tick tick = log.tick({{1, 0}, {2, 0}, {1, 1}, {1, 0}});
    feed.saw(tick);

    const auto fed = feed.offer(log.slice_of(tick));

    EXPECT_THAT(fed.value(), ElementsAre(0, 1));
    EXPECT_EQ(feed.lane(0).size(), 2U);
    EXPECT_EQ(feed.lane(0).at(1).number, 2);
    EXPECT_EQ(feed.lane(1).size(), 1U);
    EXPECT_FALSE(feed.wants());
}

TEST(SubscriptionFeed, reads_on_from_the_cursor_after_a_start) {
    FakeLog log;
    for (int i = 0; i < 5; ++i)
        static_cast<void>(log.tick({{1, 0}, {1, 0}}));
    Ledger ledger;
    SubscriptionFeed feed(Order::by_lane, {1}, {});
    feed.add_lane(3, {2, 0});
    Tick newest = log.tick({{1, 0}});
    feed.saw(newest);

    ASSERT_EQ(feed.wants(), (ReadPoint{2, 0}));
    ASSERT_TRUE(feed.offer(log.read({2, 0}, 100)));

    EXPECT_EQ(feed.lane(0).size(), 8U);
    EXPECT_EQ(feed.lane(0).at(0).number, 4);
    EXPECT_FALSE(feed.wants());
}

TEST(SubscriptionFeed, falls_behind_at_its_limit_and_catches_up_by_reading) {
    FakeLog log;
    SubscriptionFeed feed = by_lane(1, {.messages = 10, .bytes = 1 << 20});
    for (int i = 0; i < 30; ++i)
        show(feed, log, log.tick({{1, 0}}));
    EXPECT_EQ(feed.lane(0).size(), 10U);
    EXPECT_TRUE(feed.lane(0).lagging());
    EXPECT_FALSE(feed.wants()) << "it has enough for now";

    feed.acknowledge(0, 8);
    ASSERT_TRUE(feed.wants());
    ASSERT_TRUE(feed.offer(log.read(*feed.wants(), 5)));

    EXPECT_EQ(feed.lane(0).size(), 7U);
    EXPECT_EQ(feed.lane(0).at(6).number, 15);
}

TEST(SubscriptionFeed, always_takes_one_message_however_large) {
    FakeLog log;
    log.payload_bytes = 5'000;
    SubscriptionFeed feed = by_lane(1, {.messages = 10, .bytes = 1'000});
    show(feed, log, log.tick({{1, 0}, {1, 0}}));

    EXPECT_EQ(feed.lane(0).size(), 1U);
    feed.acknowledge(0, 1);
    ASSERT_TRUE(feed.offer(log.read(*feed.wants(), 5)));
    EXPECT_EQ(feed.lane(0).at(0).number, 2);
}

TEST(SubscriptionFeed, lets_a_held_lane_give_its_memory_to_the_others) {
    FakeLog log;
    SubscriptionFeed feed = by_lane(2, {.messages = 8, .bytes = 1 << 20});
    for (int i = 0; i < 8; ++i)
        show(feed, log, log.tick({{1, 0}}));
    EXPECT_EQ(feed.lane(0).size(), 8U);

    feed.hold(0);
    show(feed, log, log.tick({{1, 1}, {1, 0}, {1, 1}}));

    EXPECT_EQ(feed.lane(0).size(), 2U);
    EXPECT_EQ(feed.lane(1).size(), 2U);
    EXPECT_FALSE(feed.wants());
    feed.acknowledge(0, 2);
    ASSERT_TRUE(feed.wants());
    ASSERT_TRUE(feed.offer(log.read(*feed.wants(), 100)));
    EXPECT_EQ(feed.lane(0).at(0).number, 3);
}

TEST(SubscriptionFeed, says_so_when_a_message_is_missing) {
    FakeLog log;
    SubscriptionFeed feed = by_lane(1);
    const Tick tick = log.tick({{1, 0}, {1, 0}});
    feed.saw(tick);
    LogSlice slice = log.slice_of(tick);
    slice.messages.erase(slice.messages.begin());

    EXPECT_EQ(feed.offer(slice).error(), "lane 0: sequence 2 follows 0");
}

TEST(SubscriptionFeed, merges_queues_by_position_and_passes_over_others) {
    FakeLog log;
    SubscriptionFeed feed(Order::merged, {1}, {});
    feed.add_lane(0, {1, 0});
    show(feed, log, log.tick({{2, 0}, {1, 1}, {2, 0}, {1, 0}}));
    show(feed, log, log.tick({{2, 0}}));

    ASSERT_EQ(feed.lane(0).size(), 2U);
    EXPECT_EQ(feed.lane(0).at(0).number, 2);
    EXPECT_EQ(feed.lane(0).at(1).number, 4);
    EXPECT_EQ(feed.lane(0).taken(), 5);
    EXPECT_FALSE(feed.passed_all());

    feed.acknowledge(0, 2);
    feed.note_handled(0);
    EXPECT_TRUE(feed.passed_all());
    feed.acknowledge_idle(0, 5);
    EXPECT_EQ(feed.lane(0).acknowledged(), 5);
    EXPECT_EQ(feed.lane(0).handled(), 4);
    feed.reset(0, 5, {6, 0});
    EXPECT_EQ(feed.lane(0).handled(), 5);
}

/// Ticks, stretches of any length and acknowledgements in any order: each lane still gets every number once.
TEST(SubscriptionFeed, keeps_what_comes_while_an_idle_cursor_moves) {
    FakeLog log;
    SubscriptionFeed feed(Order::merged, {1}, {});
    feed.add_lane(0, {1, 0});
    show(feed, log, log.tick({{2, 0}, {2, 0}}));
    const std::int64_t moving_to = feed.lane(0).taken();
    show(feed, log, log.tick({{1, 0}}));  // the cursor's move is being committed

    feed.acknowledge_idle(0, moving_to);

    EXPECT_EQ(feed.lane(0).acknowledged(), 2);
    ASSERT_EQ(feed.lane(0).size(), 1U);
    EXPECT_EQ(feed.lane(0).at(0).number, 3);
    EXPECT_FALSE(feed.passed_all());
}

TEST(SubscriptionFeed, gives_every_number_once_whatever_the_interleaving) {
    for (std::uint64_t seed = 1; seed <= static_cast<std::uint64_t>(testing::scaled(300)); ++seed) {
        SCOPED_TRACE(seed);
        core::Random random(seed);
        constexpr std::uint16_t kLanes = 4;
        FakeLog log;
        const bool merged = seed % 2 == 0;
        SubscriptionFeed feed(merged ? Order::merged : Order::by_lane, {1},
                              {.messages = 1 + random.below(40), .bytes = 20'000});
        for (std::size_t i = 0; i < (merged ? 1U : kLanes); ++i)
            feed.add_lane(0, {1, 0});
        std::map<std::size_t, std::int64_t> last;
        std::size_t got = 0;
        std::size_t ours = 0;
        const auto consume = [&](std::size_t lane, std::size_t count) {
            for (std::size_t i = 0; i < count; ++i) {
                const std::int64_t number = feed.lane(lane).at(i).number;
                if (merged)
                    ASSERT_GT(number, last[lane]);
                else
                    ASSERT_EQ(number, last[lane] + 1);
                last[lane] = number;
            }
            got += count;
            feed.acknowledge(lane, count);
        };
        for (int step = 0; step < 600; ++step) {
            const std::size_t lane = random.below(feed.lanes());
            switch (random.below(4)) {
                case 0: {
                    std::vector<std::pair<std::int32_t, std::uint16_t>> messages;
                    const std::uint64_t count = 1 + random.below(6);
                    for (std::uint64_t i = 0; i < count; ++i) {
                        messages.emplace_back(1 + static_cast<std::int32_t>(random.below(2)),
                                              static_cast<std::uint16_t>(random.below(kLanes)));
                        ours += messages.back().first == 1 ? 1U : 0U;
                    }
                    const Tick tick = log.tick(messages);
                    feed.saw(tick);
                    if (random.below(4) > 0) {
                        ASSERT_TRUE(feed.offer(log.slice_of(tick)));
                    }
                    break;
                }
                case 1:
                    if (const auto from = feed.wants()) {
                        ASSERT_TRUE(feed.offer(log.read(*from, 1 + random.below(10))));
                    }
                    break;
                case 2:
                    if (feed.lane(lane).size() > 0 && random.below(5) == 0)
                        feed.hold(lane);
                    else
                        consume(lane, random.below(feed.lane(lane).size() + 1));
                    break;
                default:
                    if (random.below(20) == 0) feed.reset(lane, feed.lane(lane).acknowledged(), {1, 0});
            }
        }
        for (int round = 0; round < 5'000 && !feed.passed_all(); ++round) {
            for (std::size_t lane = 0; lane < feed.lanes(); ++lane)
                consume(lane, feed.lane(lane).size());
            if (const auto from = feed.wants()) {
                ASSERT_TRUE(feed.offer(log.read(*from, 7)));
            }
        }
        ASSERT_TRUE(feed.passed_all());
        ASSERT_EQ(got, ours);
    }
}

}  // namespace
}  // namespace sluice::outbox
