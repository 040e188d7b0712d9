// Reads and the delta log, on a real SQLite file.
#include <gtest/gtest.h>

#include "sluice/projection/internal/test_world.hpp"
#include "sluice/projection/test_journal_model.hpp"
#include "sluice/testing/error_page.hpp"

namespace sluice::projection {
namespace {

using namespace sample;

const outbox::Queue<Journal::Event>& journal_queue() {
    static const outbox::Queue<Journal::Event> queue("journal", outbox::lanes(4), [](const Journal::Event& e) {
        const std::vector<std::string> keys = Journal{}.key(e);
        return keys.empty() ? std::string() : keys.front();
    });
    return queue;
}

/// Folds one kind of the queue's events, and of those not all.
struct OnlyAdds {
    using Event = std::variant<Add>;
    using State = JournalDelta;
    static constexpr std::string_view name = "only_adds";
    static constexpr int state_version = 1;
    std::optional<std::string> key(const Event& event) const {
        const Add& add = std::get<Add>(event);
        if (add.value == 0) return std::nullopt;
        return add.key;
    }
    void apply(State& state, const Event& event) const { state.value += std::get<Add>(event).value; }
};

class Reading : public ::testing::Test {
protected:
    void begin(Options options = {}) {
        world.make().add<Journal>(journal_queue(), options);
        world.start();
    }
    void add(const std::string& key, std::int64_t value) {
        world.log.append(journal_queue(), Journal::Event(Add{key, value}));
    }
    void remove(const std::string& key) { world.log.append(journal_queue(), Journal::Event(Delete{key})); }
    RawState raw(const std::string& key) { return world.run(world.projections().read_raw("journal", key)); }
    std::optional<std::vector<RawDelta>> range(const std::string& key, core::Epoch epoch, std::int64_t after,
                                               std::int64_t to) {
        return world.run(world.projections().range_raw("journal", key, epoch, core::Version(after), core::Version(to)));
    }

    World world;
};

TEST_F(Reading, unseen_key_is_the_empty_state_at_version_0_for_channels_and_nothing_for_programs) {
    begin();
    const RawState unseen = raw("nobody");
    EXPECT_FALSE(unseen.exists);
    EXPECT_EQ(unseen.version.value(), 0);
    EXPECT_GT(unseen.epoch.value(), 0);
    EXPECT_EQ(unseen.state, core::json::encode(JournalState{}));
    EXPECT_FALSE(world.run(world.projections().read<Journal>("nobody")).has_value());
    try {
        static_cast<void>(world.run(world.projections().read_required<Journal>("nobody")));
        FAIL() << "an unseen key was read";
    } catch (const Error& e) {
        EXPECT_EQ(e.kind(), ErrorKind::not_found);
        EXPECT_EQ(testing::error_page_complaint("projection::Error", "not_found", e.what()), "");
        EXPECT_STREQ(e.what(), "projection 'journal': no state for key 'nobody'");
    }
}

TEST_F(Reading, state_that_somebody_changed_is_refused) {
    begin();
    add("a", 1);
    world.deliver();
    world.run(world.execute("update sluice_projection_state set state = '{}'"));
    try {
        static_cast<void>(raw("a"));
        FAIL() << "a changed state was read";
    } catch (const Error& e) {
        EXPECT_EQ(e.kind(), ErrorKind::stored_state);
        EXPECT_EQ(testing::error_page_complaint("projection::Error", "stored_state", e.what()), "");
    }
}

TEST(ErrorPage, shows_every_kind_of_projection_error) {
    const auto shown = testing::error_examples(testing::docs_page("errors.md"), "projection::Error");
    for (int kind = 0; to_string(static_cast<ErrorKind>(kind)) != "unknown"; ++kind)
        EXPECT_TRUE(shown.contains(std::string(to_string(static_cast<ErrorKind>(kind))))) << kind;
}

TEST_F(Reading, removed_key_keeps_its_version_and_has_no_state) {
    begin();
    add("a", 1);
    remove("a");
    world.deliver();
    EXPECT_FALSE(raw("a").exists);
    EXPECT_EQ(raw("a").version.value(), 2);
    EXPECT_EQ(raw("a").state, core::json::encode(JournalState{}));
    EXPECT_FALSE(world.run(world.projections().read<Journal>("a")).has_value());
    const KeyChange told = world.sink->of("a").back();
    EXPECT_EQ(told.kind, ChangeKind::removed);
    EXPECT_EQ(told.version.value(), 2);

    add("a", 5);
    world.deliver();
    EXPECT_EQ(raw("a").version.value(), 3);
    EXPECT_EQ(world.run(world.projections().read_required<Journal>("a")).state.value, 5);
}

TEST_F(Reading, many_keys_in_one_statement_and_a_list_by_prefix) {
    begin();
    for (const char* key : {"a/1", "a/2", "a/3", "b/1", "a"})
        add(key, 7);
    remove("a/2");
    world.deliver();

    const auto many = world.run(world.projections().read_many<Journal>({"a/1", "b/1", "a/2", "none", "a/1"}));
    std::set<std::string> found;
    for (const auto& one : many)
        found.insert(one.key);
    EXPECT_EQ(found, (std::set<std::string>{"a/1", "b/1"}));

    const auto keys = [](const auto& listed) {
        std::vector<std::string> names;
        for (const auto& one : listed)
            names.push_back(one.key);
        return names;
    };
    EXPECT_EQ(keys(world.run(world.projections().list<Journal>("a/", 10))), (std::vector<std::string>{"a/1", "a/3"}));
    EXPECT_EQ(keys(world.run(world.projections().list<Journal>("", 2))), (std::vector<std::string>{"a", "a/1"}));
    EXPECT_EQ(keys(world.run(world.projections().list<Journal>("", 2, "a/1"))),
              (std::vector<std::string>{"a/3", "b/1"}));
}

TEST_F(Reading, range_answers_exactly_the_versions_asked_for) {
    begin();
    for (int i = 0; i < 20; ++i)
        add("a", i);
    world.deliver(0, 7);
    const core::Epoch epoch = raw("a").epoch;
    for (std::int64_t after = 0; after <= 20; ++after) {
        for (std::int64_t to = after; to <= 20; ++to) {
            const auto deltas = range("a", epoch, after, to);
            ASSERT_TRUE(deltas.has_value()) << after << ".." << to;
            ASSERT_EQ(deltas->size(), static_cast<std::size_t>(to - after));
            for (std::size_t i = 0; i < deltas->size(); ++i)
                EXPECT_EQ((*deltas)[i].version.value(), after + 1 + static_cast<std::int64_t>(i));
        }
    }
    EXPECT_NE(range("a", epoch, 18, 19)->front().delta.find("\"value\":171"), std::string::npos);
}

TEST_F(Reading, range_is_gone_in_another_epoch_beyond_the_end_and_without_a_log) {
    begin();
    add("a", 1);
    world.deliver();
    const core::Epoch epoch = raw("a").epoch;
    EXPECT_FALSE(range("a", core::Epoch(epoch.value() - 1), 0, 1).has_value());
    EXPECT_FALSE(range("a", epoch, 0, 2).has_value());
    EXPECT_TRUE(range("a", epoch, 1, 1).has_value());

    World bare;
    Options options;
    options.delta_log = std::nullopt;
    bare.make().add<Journal>(journal_queue(), options);
    bare.start();
    bare.log.append(journal_queue(), Journal::Event(Add{"a", 1}));
    bare.deliver();
    const RawState state = bare.run(bare.projections().read_raw("journal", "a"));
    EXPECT_EQ(bare.number("select count(*) from sluice_projection_delta"), 0);
    EXPECT_FALSE(bare.run(bare.projections().range_raw("journal", "a", state.epoch, core::Version(0), core::Version(1)))
                     .has_value());
}

TEST_F(Reading, delta_log_keeps_a_bounded_number_of_versions) {
    Options options;
    options.delta_log = DeltaLog{.versions = 40};
    begin(options);
    for (int i = 0; i < 500; ++i)
        add("a", i);
    world.deliver(0, 5);
    const core::Epoch epoch = raw("a").epoch;
    EXPECT_TRUE(range("a", epoch, 460, 500).has_value());
    EXPECT_FALSE(range("a", epoch, 400, 500).has_value());
    EXPECT_LE(world.number("select count(*) from sluice_projection_delta"), 11);
}

TEST_F(Reading, delta_log_keeps_a_bounded_age) {
    begin();
    for (int i = 0; i < 10; ++i)
        add("key-" + std::to_string(i), i);
    world.deliver();
    world.run(world.execute("update sluice_projection_delta set at = at - 25 * 3600 * 1000"));
    world.clock.advance(std::chrono::seconds(2));
    add("new", 1);
    world.deliver();
    EXPECT_EQ(world.number("select count(*) from sluice_projection_delta"), 1);
    EXPECT_EQ(raw("key-3").version.value(), 1);
}

TEST_F(Reading, updated_at_never_goes_back_within_a_key) {
    begin();
    add("a", 1);
    world.deliver();
    world.run(world.execute("update sluice_projection_state set updated_at = updated_at + 3600 * 1000"));
    const std::int64_t before = world.number("select updated_at from sluice_projection_state");
    add("a", 1);
    world.deliver();
    EXPECT_EQ(world.number("select updated_at from sluice_projection_state"), before);
}

TEST_F(Reading, unknown_projection_and_a_name_twice_are_config_errors) {
    begin();
    try {
        static_cast<void>(world.run(world.projections().read_raw("jurnal", "a")));
        FAIL() << "an unknown projection was read";
    } catch (const Error& e) {
        EXPECT_EQ(e.kind(), ErrorKind::config);
        EXPECT_EQ(testing::error_page_complaint("projection::Error", "config", e.what()), "");
        EXPECT_NE(std::string(e.what()).find("there are: 'journal'"), std::string::npos);
    }
    Projections& again = world.make();
    again.add<Journal>(journal_queue());
    EXPECT_THROW(again.add<Journal>(journal_queue()), Error);
    EXPECT_THROW(again.add<ShortJournal>(journal_queue(), {.mode = Mode::by_lane}), Error);
}

TEST_F(Reading, other_types_of_the_queue_concern_nobody) {
    world.make().add<OnlyAdds>(journal_queue());
    world.start();
    add("a", 3);
    add("b", 0);
    remove("a");
    world.deliver();
    EXPECT_EQ(world.run(world.projections().read_required<OnlyAdds>("a")).state.value, 3);
    EXPECT_FALSE(world.run(world.projections().read<OnlyAdds>("b")).has_value());
    EXPECT_TRUE(world.run(world.projections().status("only_adds")).parked.empty());
}

}  // namespace
}  // namespace sluice::projection
