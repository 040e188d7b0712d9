// Keys that wait for an event that failed, on a real SQLite file.
#include <gtest/gtest.h>

#include "sluice/projection/internal/test_world.hpp"
#include "sluice/projection/test_journal_model.hpp"
#include "sluice/testing/error_page.hpp"

namespace sluice::projection {
namespace {

using namespace sample;

/// What stands between Poison and success: a program that was mended.
bool g_mended = false;

struct Mendable {
    using Event = Journal::Event;
    using State = JournalState;
    using Delta = JournalDelta;
    static constexpr std::string_view name = "mendable";
    static constexpr int state_version = 1;
    std::vector<std::string> key(const Event& event) const { return Journal{}.key(event); }
    Delta apply(State& state, const Event& event, std::string_view key) const {
        if (std::holds_alternative<Poison>(event) && !g_mended) {
            state.value = -1;
            throw std::runtime_error("poison \xFF");
        }
        static_cast<void>(Journal{}.apply(state, event, key));
        return {state.value};
    }
};

class Parked : public ::testing::Test {
protected:
    Parked() {
        g_mended = false;
        begin();
    }
    void begin(Settings settings = {}) {
        world.make(settings).add<Mendable>(queue());
        world.start();
    }
    static const outbox::Queue<Journal::Event>& queue() {
        static const outbox::Queue<Journal::Event> queue("journal", outbox::lanes(1),
                                                         [](const Journal::Event&) { return std::string("any"); });
        return queue;
    }
    void publish(const Journal::Event& event) { world.log.append(queue(), event); }
    Projections& projections() { return world.projections(); }
    ProjectionStatus status() { return world.run(projections().status("mendable")); }
    RawState raw(const std::string& key) { return world.run(projections().read_raw("mendable", key)); }
    std::int64_t value(const std::string& key) {
        return world.run(projections().read_required<Mendable>(key)).state.value;
    }
    /// a: 5, poison, +1 (waits), and a move of 2 from a to b that b folds at once.
    void poison_a() {
        publish(Add{"a", 5});
        publish(Poison{"a"});
        world.deliver();
        publish(Add{"a", 1});
        publish(Move{"a", "b", 2});
        world.deliver();
    }

    World world;
};

TEST_F(Parked, key_waits_with_copies_of_its_events_while_others_go_on) {
    poison_a();
    EXPECT_EQ(value("a"), 5);
    EXPECT_EQ(value("b"), 2);
    const ProjectionStatus now = status();
    ASSERT_EQ(now.parked.size(), 1u);
    EXPECT_EQ(now.parked[0].key, "a");
    EXPECT_EQ(now.parked[0].type, "Poison");
    EXPECT_EQ(now.parked[0].payload, R"({"key":"a"})");
    EXPECT_EQ(now.parked[0].text, "poison ?");
    EXPECT_EQ(now.parked[0].position.value(), 2);
    EXPECT_EQ(now.parked[0].waiting, 2);
    EXPECT_EQ(now.lag, 0);
}

TEST_F(Parked, key_still_waits_after_a_restart) {
    poison_a();
    world.reopen();
    begin();
    publish(Add{"a", 100});
    world.deliver();
    EXPECT_EQ(value("a"), 5);
    EXPECT_EQ(status().parked.at(0).waiting, 3);
}

TEST_F(Parked, retry_folds_what_waits_in_order_and_only_for_that_key) {
    poison_a();
    g_mended = true;
    const ReleaseReport report = world.run(projections().retry("mendable", "a"));
    EXPECT_TRUE(report.released);
    EXPECT_EQ(report.folded, 3u);
    EXPECT_EQ(value("a"), 4);
    EXPECT_EQ(value("b"), 2);
    EXPECT_EQ(raw("a").version.value(), 4);
    EXPECT_TRUE(status().parked.empty());
    EXPECT_EQ(world.sink->of("a").back().version.value(), 4);
    EXPECT_TRUE(world.run(projections().verify("mendable")).equal());
    const auto deltas =
        world.run(projections().range_raw("mendable", "a", raw("a").epoch, core::Version(0), core::Version(4)));
    ASSERT_TRUE(deltas.has_value());

    publish(Add{"a", 10});
    world.deliver();
    EXPECT_EQ(value("a"), 14);
}

TEST_F(Parked, retry_that_fails_again_says_so_and_keeps_everything) {
    poison_a();
    const ReleaseReport report = world.run(projections().retry("mendable", "a"));
    EXPECT_FALSE(report.released);
    EXPECT_EQ(report.folded, 0u);
    EXPECT_EQ(report.text, "poison \xFF");
    EXPECT_EQ(status().parked.at(0).attempts, 2);
    EXPECT_EQ(status().parked.at(0).waiting, 2);
    EXPECT_EQ(value("a"), 5);
}

TEST_F(Parked, skip_leaves_the_event_out_for_good) {
    poison_a();
    const ReleaseReport report = world.run(projections().skip("mendable", "a"));
    EXPECT_TRUE(report.released);
    EXPECT_EQ(report.folded, 2u);
    EXPECT_EQ(value("a"), 4);
    EXPECT_EQ(raw("a").version.value(), 3);
    EXPECT_TRUE(world.run(projections().verify("mendable")).equal());

    const RebuildReport rebuilt = world.run(projections().rebuild("mendable"));
    EXPECT_EQ(rebuilt.parked, 0u);
    EXPECT_EQ(rebuilt.changed, 0u);
    EXPECT_EQ(value("a"), 4);
    EXPECT_EQ(raw("a").version.value(), 3);
    EXPECT_EQ(world.run(projections().rebuild_key_from_log("mendable", "a")).version.value(), 3);
}

TEST_F(Parked, rebuild_of_the_key_releases_it) {
    poison_a();
    const auto rebuilt = world.run(projections().rebuild_key<Mendable>("a", {Add{"a", 40}, Add{"a", 2}}));
    EXPECT_EQ(rebuilt.state.value, 42);
    EXPECT_EQ(rebuilt.version.value(), 2);
    EXPECT_TRUE(status().parked.empty());
    publish(Add{"a", 1});
    world.deliver();
    EXPECT_EQ(value("a"), 43);
    EXPECT_EQ(raw("a").version.value(), 3);
}

TEST_F(Parked, rebuild_of_the_projection_parks_the_same_event_again) {
    poison_a();
    const RebuildReport report = world.run(projections().rebuild("mendable"));
    EXPECT_EQ(report.parked, 3u);
    EXPECT_EQ(value("a"), 5);
    EXPECT_EQ(status().parked.at(0).waiting, 2);
    g_mended = true;
    EXPECT_TRUE(world.run(projections().retry("mendable", "a")).released);
    EXPECT_EQ(value("a"), 4);
}

TEST_F(Parked, more_than_one_transaction_can_hold_is_released_in_several) {
    publish(Poison{"a"});
    for (int i = 0; i < 1'300; ++i)
        publish(Add{"a", 1});
    world.deliver(0, 1'000);
    EXPECT_EQ(status().parked.at(0).waiting, 1'300);
    const ReleaseReport report = world.run(projections().skip("mendable", "a"));
    EXPECT_TRUE(report.released);
    EXPECT_EQ(report.folded, 1'300u);
    EXPECT_EQ(value("a"), 1'300);
}

TEST_F(Parked, beyond_the_limit_the_projection_stops_and_says_why) {
    begin({.parked_limit = 3});
    publish(Poison{"a"});
    for (int i = 0; i < 3; ++i)
        publish(Add{"a", 1});
    try {
        world.deliver();
        FAIL() << "more was parked than allowed";
    } catch (const Error& e) {
        EXPECT_EQ(e.kind(), ErrorKind::limit);
        EXPECT_EQ(testing::error_page_complaint("projection::Error", "limit", e.what()), "");
    }
    EXPECT_NE(status().stopped.find("the limit is 3"), std::string::npos);
    EXPECT_EQ(world.number("select count(*) from sluice_projection_parked"), 0);
}

TEST_F(Parked, message_that_is_no_event_is_shown_and_can_only_be_skipped) {
    world.log.append("journal", "any", "Add", "{not json");
    publish(Add{"a", 1});
    world.deliver();
    EXPECT_EQ(value("a"), 1);
    ASSERT_EQ(status().parked.size(), 1u);
    EXPECT_EQ(status().parked[0].key, "");
    EXPECT_THROW(static_cast<void>(world.run(projections().retry("mendable", ""))), Error);
    static_cast<void>(world.run(projections().skip("mendable", "")));
    EXPECT_TRUE(status().parked.empty());
    EXPECT_TRUE(world.run(projections().verify("mendable")).equal());
}

TEST_F(Parked, key_of_which_nothing_waits_is_not_found) {
    for (const bool skip : {false, true}) {
        try {
            static_cast<void>(
                world.run(skip ? projections().skip("mendable", "a") : projections().retry("mendable", "a")));
            FAIL() << "released nothing";
        } catch (const Error& e) {
            EXPECT_EQ(e.kind(), ErrorKind::not_found);
        }
    }
}

}  // namespace
}  // namespace sluice::projection
