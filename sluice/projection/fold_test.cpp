#include "sluice/projection/fold.hpp"

#include <limits>

#include <gtest/gtest.h>

#include "sluice/core/json.hpp"
#include "sluice/projection/internal/test_definitions.hpp"
#include "sluice/projection/test_journal_model.hpp"

namespace sluice::projection {
namespace {

using namespace sample;

struct Bench {
    std::shared_ptr<const Definition> definition = define<Journal>();
    KeyStates states;

    FoldResult run(const std::vector<Journal::Event>& events, FoldSettings settings = {}, std::int64_t first = 1) {
        std::vector<outbox::Message> messages;
        for (const auto& event : events)
            messages.push_back(message_of(event, first++));
        return fold(*definition, intake(*definition, {}, messages), states, settings);
    }
};

TEST(fold, writes_each_key_once_however_many_events_it_had) {
    Bench bench;
    const FoldResult result = bench.run({Add{"a", 1}, Add{"b", 5}, Multiply{"a", 10}, Add{"a", 3}});

    ASSERT_EQ(result.keys.size(), 2u);
    EXPECT_EQ(result.keys[0].key, "a");
    EXPECT_EQ(result.keys[0].first_version.value(), 1);
    EXPECT_EQ(result.keys[0].version.value(), 3);
    EXPECT_EQ(result.keys[0].position.value(), 4);
    EXPECT_EQ(result.keys[0].deltas.size(), 3u);
    EXPECT_EQ(result.keys[0].state, R"({"value":13,"last":["0:0","1:1","0:10"],"partners":{}})");
    EXPECT_EQ(result.folded, 4u);
}

TEST(fold, default_delta_is_a_merge_patch_between_old_and_new_state) {
    Bench bench;
    const FoldResult result = bench.run({Add{"a", 1}});
    EXPECT_EQ(result.keys.at(0).deltas.at(0), R"({"value":1,"last":["0:0"]})");
}

TEST(fold, event_of_several_keys_reaches_each_key_once) {
    Bench bench;
    const FoldResult result = bench.run({Move{"a", "b", 7}, Move{"c", "c", 1}});
    ASSERT_EQ(result.keys.size(), 3u);
    EXPECT_NE(bench.states.at("a").bytes.find("\"value\":-7"), std::string::npos);
    EXPECT_NE(bench.states.at("b").bytes.find("\"value\":7"), std::string::npos);
    EXPECT_EQ(bench.states.at("c").version.value(), 1);
}

TEST(fold, event_without_keys_concerns_nobody) {
    Bench bench;
    const FoldResult result = bench.run({Noise{1}});
    EXPECT_TRUE(result.keys.empty());
    EXPECT_TRUE(bench.states.empty());
}

TEST(fold, replayed_event_is_a_no_op) {
    Bench bench;
    static_cast<void>(bench.run({Add{"a", 1}, Add{"a", 2}}));
    const FoldResult again = bench.run({Add{"a", 1}, Add{"a", 2}, Add{"a", 4}});
    EXPECT_EQ(again.replayed, 2u);
    EXPECT_EQ(again.folded, 1u);
    EXPECT_EQ(bench.states.at("a").version.value(), 3);
}

TEST(fold, event_up_to_the_base_is_a_no_op_for_unseen_keys_too) {
    Bench bench;
    const FoldResult result = bench.run({Add{"a", 1}, Add{"a", 2}}, {.base = core::Position(1)});
    EXPECT_EQ(result.replayed, 1u);
    EXPECT_EQ(bench.states.at("a").version.value(), 1);
}

TEST(fold, removed_key_keeps_its_version_and_begins_again_from_the_empty_state) {
    Bench bench;
    const FoldResult gone = bench.run({Add{"a", 1}, Delete{"a"}});
    ASSERT_EQ(gone.keys.size(), 1u);
    EXPECT_TRUE(gone.keys[0].removed);
    EXPECT_EQ(gone.keys[0].state, "");
    EXPECT_EQ(gone.keys[0].deltas.back(), "null");
    EXPECT_EQ(gone.keys[0].version.value(), 2);

    const FoldResult back = bench.run({Add{"a", 9}}, {}, 3);
    EXPECT_FALSE(back.keys.at(0).removed);
    EXPECT_EQ(back.keys.at(0).version.value(), 3);
    EXPECT_EQ(back.keys.at(0).state, R"({"value":9,"last":["0:0"],"partners":{}})");
}

TEST(fold, throwing_event_parks_its_key_with_what_follows_and_no_other) {
    Bench bench;
    const FoldResult result =
        bench.run({Add{"a", -5}, Add{"b", 1}, Poison{"a"}, Add{"a", 100}, Move{"a", "b", 1}, Add{"b", 1}});

    ASSERT_EQ(result.parked.size(), 3u);
    EXPECT_TRUE(result.parked[0].failed);
    EXPECT_EQ(result.parked[0].event, 2u);
    EXPECT_EQ(result.parked[0].text, "a negative journal cannot be poisoned");
    EXPECT_FALSE(result.parked[1].failed);
    EXPECT_EQ(result.parked[2].event, 4u);
    EXPECT_EQ(bench.states.at("a").bytes, R"({"value":-5,"last":["0:0"],"partners":{}})");
    EXPECT_EQ(bench.states.at("a").version.value(), 1);
    EXPECT_EQ(bench.states.at("b").version.value(), 3);
}

TEST(fold, state_that_json_cannot_hold_parks_the_event_that_made_it) {
    Bench bench;
    const double huge = std::numeric_limits<double>::max();
    std::vector<outbox::Message> messages = {message_of(Add{"a", 1}, 1), message_of(Average{"a", huge}, 2),
                                             message_of(Add{"a", 2}, 3)};
    std::vector<FoldEvent> events = intake(*bench.definition, {}, messages);
    events[1].event =
        std::make_unique<const TypedEvent<Journal::Event>>(Average{"a", std::numeric_limits<double>::quiet_NaN()});

    const auto short_journal = define<ShortJournal>();
    const FoldResult result = fold(*short_journal, events, bench.states);

    ASSERT_EQ(result.parked.size(), 2u);
    EXPECT_EQ(result.parked[0].event, 1u);
    EXPECT_TRUE(result.parked[0].failed);
    EXPECT_EQ(result.keys.at(0).version.value(), 1);
    EXPECT_EQ(result.keys.at(0).position.value(), 1);
    EXPECT_EQ(result.folded, 1u);
}

TEST(fold, stored_state_that_does_not_decode_parks_the_key) {
    Bench bench;
    KeyState broken;
    broken.stored = true;
    broken.bytes = R"({"value":"x"})";
    broken.version = core::Version(4);
    bench.states.emplace("a", std::move(broken));

    const FoldResult result = bench.run({Add{"a", 1}, Add{"b", 1}, Add{"a", 2}});

    ASSERT_EQ(result.parked.size(), 2u);
    EXPECT_TRUE(result.parked[0].failed);
    EXPECT_NE(result.parked[0].text.find("does not decode"), std::string::npos);
    EXPECT_EQ(result.keys.size(), 1u);
    EXPECT_EQ(bench.states.at("a").version.value(), 4);
}

TEST(fold, message_that_is_no_event_parks_its_key_by_lane_and_nobody_when_merged) {
    const auto definition = define<StockLevel>();
    outbox::Message bad;
    bad.position = core::Position(1);
    bad.key = "a";
    bad.type = "StockReceived";
    bad.payload = "{";
    const std::vector<outbox::Message> messages = {bad};
    KeyStates states;

    const FoldResult by_lane = fold(*definition, intake(*definition, {.mode = Mode::by_lane}, messages), states);
    ASSERT_EQ(by_lane.parked.size(), 1u);
    EXPECT_EQ(by_lane.parked[0].key, "a");
    EXPECT_TRUE(states.at("a").parked);

    KeyStates others;
    const FoldResult merged = fold(*definition, intake(*definition, {.mode = Mode::merged}, messages), others);
    ASSERT_EQ(merged.parked.size(), 1u);
    EXPECT_EQ(merged.parked[0].key, "");
    EXPECT_TRUE(others.empty());
}

TEST(fold, undo_patch_leads_back_to_the_state_before_the_batch) {
    Bench bench;
    static_cast<void>(bench.run({Add{"a", 1}, Move{"a", "z", 1}}));
    const std::string before = bench.states.at("a").bytes;
    const FoldResult result = bench.run({Average{"a", 3}, Move{"a", "y", 1}, Add{"a", 4}}, {.undo = true}, 3);

    ASSERT_TRUE(result.keys.at(0).undo.has_value());
    const auto back = core::json::apply_merge_patch(result.keys[0].state, *result.keys[0].undo);
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(core::json::encode(core::json::decode<JournalState>(*back).value()), before);
}

}  // namespace
}  // namespace sluice::projection
