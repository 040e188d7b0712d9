#include "sluice/realtime/internal/home.hpp"

#include <algorithm>
#include <deque>
#include <memory>
#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sluice::realtime {
namespace {

using namespace std::chrono_literals;

const core::SteadyTime kNow{};

/// Records what the home wants, as text.
struct Recorder final : HomeActions {
    void open() override { lines.push_back("open"); }
    void range(const std::string& epoch, core::Version after, core::Version to) override {
        lines.push_back(fmt::format("range {} {}..{}", epoch, after, to));
    }
    void retry_in(std::chrono::milliseconds pause) override { lines.push_back(fmt::format("retry {}", pause.count())); }
    void frames(const std::string& epoch, std::span<const Frame> frames) override {
        lines.push_back(fmt::format("frames {} {}..{}", epoch, frames.front().version, frames.back().version));
    }
    void reset(const Snapshot& snapshot) override {
        lines.push_back(fmt::format("reset {} {}", snapshot.epoch, snapshot.version));
    }
    void position(const std::string& epoch, core::Version version) override {
        lines.push_back(fmt::format("position {} {}", epoch, version));
    }
    void answer(const Waiter& waiter, AnswerKind kind, const Snapshot* snapshot, core::Version after) override {
        lines.push_back(fmt::format("answer {} {} {}", waiter.token, kind == AnswerKind::state ? "state" : "frames",
                                    snapshot != nullptr ? snapshot->version : after));
    }
    void refuse(const Waiter& waiter, SourceError error) override {
        lines.push_back(fmt::format("refuse {} {}", waiter.token, static_cast<int>(error)));
    }
    void lose_members() override { lines.push_back("lose"); }

    std::vector<std::string> take() { return std::exchange(lines, {}); }
    std::vector<std::string> lines;
};

using Lines = std::vector<std::string>;

struct HomeTest : ::testing::Test {
    static Waiter waiter(std::uint32_t token) { return {0, ConnectionId(token), token}; }
    static std::vector<Frame> frames(std::int64_t from, std::int64_t to) {
        std::vector<Frame> made;
        for (std::int64_t v = from; v <= to; ++v)
            made.push_back({core::Version(v), "", "1"});
        return made;
    }
    static Snapshot snapshot(const std::string& epoch, std::int64_t version) {
        return {epoch, core::Version(version), nullptr};
    }
    void publish(const std::string& epoch, std::int64_t from, std::int64_t to) {
        home.publish(epoch, frames(from, to), kNow);
    }
    /// A member at (3, 10).
    void join() {
        home.subscribe(waiter(1), std::nullopt);
        home.on_opened(snapshot("3", 10), kNow);
        recorder.take();
    }

    Recorder recorder;
    SourcedHome home{HomeLimits{.ring = {8, 1 << 20}, .repair_frames = 4, .max_waiting = 3, .retry = 100ms}, recorder};
};

TEST_F(HomeTest, one_read_answers_all_who_wait) {
    home.subscribe(waiter(1), std::nullopt);
    home.subscribe(waiter(2), std::nullopt);
    home.on_opened(snapshot("3", 10), kNow);
    EXPECT_EQ(recorder.take(), (Lines{"open", "answer 1 state 10", "answer 2 state 10"}));
}

TEST_F(HomeTest, frames_that_come_while_the_state_is_read_follow_it_and_older_ones_do_not) {
    home.subscribe(waiter(1), std::nullopt);
    publish("3", 9, 12);
    home.on_opened(snapshot("3", 10), kNow);
    EXPECT_EQ(recorder.take(), (Lines{"open", "answer 1 state 10", "frames 3 11..12"}));
}

TEST_F(HomeTest, a_late_joiner_gets_a_state_that_is_behind_and_the_frames_between_from_the_ring) {
    join();
    home.subscribe(waiter(2), std::nullopt);
    publish("3", 11, 12);
    home.on_opened(snapshot("3", 11), kNow);
    EXPECT_EQ(recorder.take(), (Lines{"open", "frames 3 11..12", "answer 2 state 11"}));
    EXPECT_TRUE(home.ring().covers(core::Version(11), home.last()));
}

TEST_F(HomeTest, a_state_ahead_waits_until_the_members_have_the_frames_between) {
    join();
    home.subscribe(waiter(2), std::nullopt);
    home.on_opened(snapshot("3", 12), kNow);
    EXPECT_EQ(recorder.take(), (Lines{"open", "range 3 10..12"}));
    home.on_range(frames(11, 12), kNow);
    EXPECT_EQ(recorder.take(), (Lines{"frames 3 11..12", "answer 2 state 12"}));
}

TEST_F(HomeTest, who_comes_back_within_the_ring_costs_no_read) {
    join();
    publish("3", 11, 13);
    recorder.take();
    home.subscribe(waiter(2), ChannelPosition{"3", core::Version(11)});
    home.subscribe(waiter(3), ChannelPosition{"3", core::Version(13)});
    EXPECT_EQ(recorder.take(), (Lines{"answer 2 frames 11", "answer 3 frames 13"}));
    home.subscribe(waiter(4), ChannelPosition{"2", core::Version(11)});
    EXPECT_EQ(recorder.take(), (Lines{"open"}));
}

TEST_F(HomeTest, the_ring_serves_after_the_last_member_left) {
    join();
    publish("3", 11, 13);
    home.no_members();
    EXPECT_TRUE(home.idle());
    recorder.take();
    home.subscribe(waiter(2), ChannelPosition{"3", core::Version(12)});
    EXPECT_EQ(recorder.take(), (Lines{"answer 2 frames 12"}));
}

TEST_F(HomeTest, a_gap_is_fetched_before_anything_newer_leaves) {
    join();
    publish("3", 13, 14);
    EXPECT_EQ(recorder.take(), (Lines{"range 3 10..12"}));
    publish("3", 15, 15);
    home.on_range(frames(11, 12), kNow);
    EXPECT_EQ(recorder.take(), (Lines{"frames 3 11..15"}));
}

TEST_F(HomeTest, a_gap_that_fills_by_itself_leaves_at_once_and_the_fetched_copy_is_dropped) {
    join();
    publish("3", 12, 12);
    publish("3", 11, 11);
    EXPECT_EQ(recorder.take(), (Lines{"range 3 10..11", "frames 3 11..12"}));
    home.on_range(std::unexpected(SourceError::gone), kNow);
    EXPECT_EQ(recorder.take(), Lines{});
}

TEST_F(HomeTest, a_range_that_is_gone_becomes_a_reset) {
    join();
    publish("3", 13, 13);
    home.on_range(std::unexpected(SourceError::gone), kNow);
    home.on_opened(snapshot("3", 14), kNow);
    EXPECT_EQ(recorder.take(), (Lines{"range 3 10..12", "open", "reset 3 14"}));
}

TEST_F(HomeTest, an_unavailable_source_is_asked_again_with_growing_pauses) {
    join();
    publish("3", 12, 12);
    home.on_range(std::unexpected(SourceError::unavailable), kNow);
    home.on_retry(kNow);
    home.on_range(std::unexpected(SourceError::unavailable), kNow);
    home.on_retry(kNow);
    home.on_range(frames(11, 11), kNow);
    EXPECT_EQ(recorder.take(), (Lines{"range 3 10..11", "retry 100", "range 3 10..11", "retry 200", "range 3 10..11",
                                      "frames 3 11..12"}));
}

TEST_F(HomeTest, more_held_frames_than_the_limit_are_fetched_with_the_gap) {
    join();
    publish("3", 12, 17);
    home.on_range(frames(11, 16), kNow);
    EXPECT_EQ(recorder.take(), (Lines{"range 3 10..16", "frames 3 11..17"}));
}

TEST_F(HomeTest, subscribers_are_refused_when_the_state_cannot_be_read) {
    home.subscribe(waiter(1), std::nullopt);
    home.on_opened(std::unexpected(SourceError::unavailable), kNow);
    home.subscribe(waiter(2), std::nullopt);
    home.on_opened(std::unexpected(SourceError::not_found), kNow);
    EXPECT_EQ(recorder.take(), (Lines{"open", "refuse 1 2", "open", "refuse 2 0"}));
    EXPECT_TRUE(home.idle());
}

TEST_F(HomeTest, only_so_many_may_wait) {
    for (std::uint32_t i = 1; i <= 4; ++i)
        home.subscribe(waiter(i), std::nullopt);
    EXPECT_EQ(recorder.take(), (Lines{"open", "refuse 4 2"}));
}

TEST_F(HomeTest, a_reset_moves_members_and_older_frames_are_dropped) {
    join();
    home.reset(snapshot("4", 2), kNow);
    publish("3", 11, 11);
    publish("4", 2, 3);
    EXPECT_EQ(recorder.take(), (Lines{"reset 4 2", "frames 4 3..3"}));
}

TEST_F(HomeTest, epochs_are_ordered_as_numbers_are) {
    join();
    home.reset(snapshot("10", 1), kNow);
    home.reset(snapshot("9", 1), kNow);
    EXPECT_EQ(recorder.take(), (Lines{"reset 10 1"}));
}

TEST_F(HomeTest, frames_of_a_newer_epoch_before_its_reset_make_the_state_be_read) {
    join();
    publish("4", 3, 3);
    EXPECT_EQ(recorder.take(), (Lines{"open"}));
    publish("4", 4, 4);
    home.on_opened(snapshot("4", 3), kNow);
    home.reset(snapshot("4", 2), kNow);
    EXPECT_EQ(recorder.take(), (Lines{"reset 4 3", "frames 4 4..4"}));
}

TEST_F(HomeTest, a_state_older_than_what_was_heard_since_is_read_again) {
    home.subscribe(waiter(1), std::nullopt);
    publish("4", 1, 1);
    home.on_opened(snapshot("3", 10), kNow);
    EXPECT_EQ(recorder.take(), (Lines{"open", "retry 100"}));
    home.on_retry(kNow);
    home.on_opened(snapshot("4", 1), kNow);
    EXPECT_EQ(recorder.take(), (Lines{"open", "answer 1 state 1"}));
}

TEST_F(HomeTest, a_new_name_for_the_same_position_is_passed_on_unless_something_is_missing) {
    join();
    home.position("4", core::Version(2));
    EXPECT_EQ(recorder.take(), (Lines{"position 4 2"}));
    publish("4", 4, 4);
    home.position("5", core::Version(1));
    EXPECT_EQ(recorder.take(), (Lines{"range 4 2..3", "open"}));
    home.on_opened(snapshot("5", 1), kNow);
    EXPECT_EQ(recorder.take(), (Lines{"reset 5 1"}));
}

TEST_F(HomeTest, members_are_never_reset_to_a_state_behind_them) {
    join();
    home.subscribe(waiter(2), std::nullopt);
    publish("3", 11, 11);
    home.lost("4", core::Version(1), kNow);
    home.on_opened(snapshot("3", 10), kNow);
    EXPECT_EQ(recorder.take(), (Lines{"open", "frames 3 11..11", "retry 100"}));
    home.on_retry(kNow);
    home.on_opened(snapshot("4", 1), kNow);
    EXPECT_EQ(recorder.take(), (Lines{"open", "reset 4 1", "answer 2 state 1"}));
}

TEST_F(HomeTest, frames_that_were_lost_on_the_way_are_fetched) {
    join();
    home.lost("3", core::Version(12), kNow);
    home.on_range(frames(11, 12), kNow);
    EXPECT_EQ(recorder.take(), (Lines{"range 3 10..12", "frames 3 11..12"}));
}

TEST_F(HomeTest, members_of_a_channel_that_is_gone_lose_their_position) {
    join();
    publish("4", 1, 1);
    home.on_opened(std::unexpected(SourceError::not_found), kNow);
    EXPECT_EQ(recorder.take(), (Lines{"open", "lose"}));
}

}  // namespace
}  // namespace sluice::realtime
