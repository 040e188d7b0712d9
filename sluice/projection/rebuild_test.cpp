// Rebuilds and verification, on a real database.
#include <cstdlib>
#include <iostream>
#include <random>
#include <utility>

#include <gtest/gtest.h>

#include "sluice/projection/internal/test_world.hpp"
#include "sluice/projection/test_journal_model.hpp"
#include "sluice/runtime/scope.hpp"
#include "sluice/testing/error_page.hpp"
#include "sluice/testing/scale.hpp"

namespace sluice::projection {
namespace {

using namespace sample;

const outbox::Queue<Journal::Event>& rebuild_queue() {
    static const outbox::Queue<Journal::Event> queue("journal", outbox::lanes(4), [](const Journal::Event& e) {
        const std::vector<std::string> keys = Journal{}.key(e);
        return keys.empty() ? std::string() : keys.front();
    });
    return queue;
}

struct ShortJournal4 : ShortJournal {
    static constexpr int state_version = 4;
};

class Rebuilding : public ::testing::Test {
protected:
    void begin(Settings settings = {}) {
        world.make(settings).add<ShortJournal>(rebuild_queue());
        world.start();
    }
    void fill(int events, std::uint64_t seed = 7, int keys = 40) {
        JournalMaker maker(seed, keys);
        for (int i = 0; i < events; ++i)
            world.log.append(rebuild_queue(), maker.next());
    }
    Projections& projections() { return world.projections(); }
    RebuildReport rebuild(RebuildOptions options = {}) {
        return world.run(projections().rebuild("short_journal", options));
    }
    VerifyReport verify() { return world.run(projections().verify("short_journal")); }
    std::vector<RawState> all() { return world.run(projections().list_raw("short_journal", "", 100'000, "")); }
    void expect_sound() {
        const VerifyReport report = verify();
        EXPECT_TRUE(report.equal()) << ::testing::PrintToString(report.examples);
    }

    World world;
};

TEST_F(Rebuilding, equals_what_live_batches_made_and_raises_the_epoch) {
    begin();
    fill(3'000);
    world.deliver(0, 37);
    const std::vector<RawState> before = all();
    const RebuildReport report = rebuild();
    const std::vector<RawState> after = all();

    EXPECT_EQ(report.changed, 0u);
    EXPECT_EQ(report.equal, report.keys);
    ASSERT_EQ(after.size(), before.size());
    for (std::size_t i = 0; i < after.size(); ++i) {
        EXPECT_EQ(after[i].key, before[i].key);
        EXPECT_EQ(after[i].state, before[i].state);
        EXPECT_EQ(after[i].version, before[i].version);
        EXPECT_GT(after[i].epoch, before[i].epoch);
        EXPECT_EQ(world.sink->of(after[i].key).back().kind, ChangeKind::position);
        EXPECT_EQ(world.sink->of(after[i].key).back().epoch, after[i].epoch);
    }
    EXPECT_EQ(world.number("select count(distinct generation) from sluice_projection_state"), 1);
    EXPECT_EQ(world.number("select count(*) from sluice_projection"), 1);
    expect_sound();

    fill(500, 8);
    world.deliver(0, 37);
    expect_sound();
}

TEST_F(Rebuilding, mends_what_was_tampered_with_and_resets_only_those_keys) {
    begin();
    fill(500);
    world.deliver();
    const std::string victim = all().front().key;
    world.run(
        world.execute("update sluice_projection_state set state = '{}', version = 1 where \"key\" = '" + victim + "'"));
    const VerifyReport broken = verify();
    EXPECT_EQ(broken.differing, 1u);
    EXPECT_NE(broken.examples.at(0).find("key '" + victim + "'"), std::string::npos);

    const RebuildReport report = rebuild();
    EXPECT_EQ(report.changed, 1u);
    EXPECT_EQ(report.differing, std::vector<std::string>{victim});
    const KeyChange told = world.sink->of(victim).back();
    EXPECT_EQ(told.kind, ChangeKind::reset);
    EXPECT_EQ(told.state, world.run(projections().read_raw("short_journal", victim)).state);
    expect_sound();
}

TEST_F(Rebuilding, empty_input_is_an_empty_model_and_that_is_announced) {
    begin();
    fill(200);
    world.deliver();
    const std::size_t keys = all().size();
    world.sink->batches.clear();
    const RebuildReport report = world.run(projections().rebuild_from<ShortJournal>(
        []() -> std::optional<Journal::Event> { return std::nullopt; }, world.log.head()));
    EXPECT_EQ(report.keys, 0u);
    EXPECT_TRUE(all().empty());
    std::size_t resets = 0;
    for (const auto& batch : world.sink->batches)
        for (const KeyChange& change : batch->changes)
            if (change.kind == ChangeKind::reset) {
                ++resets;
                EXPECT_EQ(change.version.value(), 0);
                EXPECT_EQ(change.state, core::json::encode(JournalState{}));
            }
    EXPECT_GE(resets, keys);

    world.rewind();
    world.deliver();
    EXPECT_TRUE(all().empty()) << "events below the new base were folded again";
}

TEST_F(Rebuilding, from_given_events_goes_on_with_the_log_behind_them) {
    begin();
    fill(400);
    world.deliver();
    const std::vector<RawState> live = all();
    std::vector<Journal::Event> copied;
    for (const outbox::Message& message : world.log.messages)
        copied.push_back(outbox::Codec<Journal::Event>::decode(message.type, message.payload).value());
    copied.resize(250);
    std::size_t next = 0;
    const RebuildReport report = world.run(projections().rebuild_from<ShortJournal>(
        [&]() -> std::optional<Journal::Event> {
            if (next == copied.size()) return std::nullopt;
            return copied[next++];
        },
        core::Position(250)));
    EXPECT_EQ(report.changed, 0u);
    const std::vector<RawState> after = all();
    ASSERT_EQ(after.size(), live.size());
    for (std::size_t i = 0; i < after.size(); ++i)
        EXPECT_EQ(after[i].version, live[i].version);
}

TEST_F(Rebuilding, within_little_memory_gives_the_same) {
    begin({.rebuild_bytes = 4'000, .log_chunk = 50, .write_chunk = 16});
    fill(testing::scaled(3'000));
    world.deliver();
    const RebuildReport report = rebuild();
    EXPECT_EQ(report.changed, 0u);
    EXPECT_EQ(report.equal, report.keys);
    expect_sound();
}

TEST_F(Rebuilding, live_batches_go_on_meanwhile_and_nothing_is_lost_or_folded_twice) {
    begin({.log_chunk = 100});
    fill(2'000);
    world.deliver();
    int calls = 0;
    bool delivering = false;
    runtime::TaskScope scope(world.shard(), core::Logger());
    const auto deliver = [&]() -> db::Task<void> {
        static_cast<void>(co_await world.deliver_one(0, 20, false));
        delivering = false;
    };
    world.log.before_read = [&]() -> db::Task<void> {
        ++calls;
        fill(30, static_cast<std::uint64_t>(calls));
        // One at a time, as the outbox has it: a merged projection has one writer.
        if (!std::exchange(delivering, true)) scope.spawn("live batch", deliver());
        co_return;
    };
    const RebuildReport report = rebuild();
    world.log.before_read = nullptr;
    world.run(scope.join());
    EXPECT_EQ(scope.failed(), 0u);
    EXPECT_GT(calls, 20);
    EXPECT_GT(report.events, 2'000u);
    world.deliver();
    expect_sound();
}

TEST_F(Rebuilding, failure_leaves_the_old_generation_untouched) {
    begin({.log_chunk = 100});
    fill(1'000);
    world.deliver();
    const RawState before = all().front();
    int reads = 0;
    world.log.before_read = [&reads]() -> db::Task<void> {
        if (++reads == 5) throw std::runtime_error("the disk is on fire");
        co_return;
    };
    EXPECT_THROW(static_cast<void>(rebuild()), std::runtime_error);
    world.log.before_read = nullptr;
    const RawState after = all().front();
    EXPECT_EQ(after.epoch, before.epoch);
    EXPECT_EQ(after.state, before.state);
    EXPECT_EQ(world.number("select count(*) from sluice_projection"), 1);
    EXPECT_EQ(rebuild().changed, 0u);
}

TEST_F(Rebuilding, log_that_no_longer_reaches_back_is_refused_naming_the_oldest_position) {
    begin();
    fill(300);
    world.deliver();
    world.log.oldest = 100;
    try {
        static_cast<void>(rebuild());
        FAIL() << "a model was built from a part";
    } catch (const Error& e) {
        EXPECT_EQ(e.kind(), ErrorKind::gone);
        EXPECT_EQ(testing::error_page_complaint("projection::Error", "gone", e.what()), "");
        EXPECT_NE(std::string(e.what()).find("begins at position 100"), std::string::npos);
    }
    EXPECT_THROW(static_cast<void>(verify()), Error);
    EXPECT_GT(rebuild({.accept_partial_log = true}).events, 0u);
    EXPECT_TRUE(verify().equal());
}

TEST_F(Rebuilding, one_at_a_time) {
    begin({.log_chunk = 10});
    fill(50);
    world.deliver();
    ErrorKind second = ErrorKind::config;
    world.log.before_read = [&]() -> db::Task<void> {
        world.log.before_read = nullptr;
        try {
            static_cast<void>(co_await projections().rebuild("short_journal"));
        } catch (const Error& e) {
            second = e.kind();
            EXPECT_EQ(testing::error_page_complaint("projection::Error", "busy", e.what()), "");
        }
    };
    static_cast<void>(rebuild());
    EXPECT_EQ(second, ErrorKind::busy);
}

TEST_F(Rebuilding, one_key_is_serialized_with_live_batches_and_raises_its_own_epoch_only) {
    begin();
    fill(600);
    world.deliver();
    const std::string key = all().front().key;
    const std::string other = all().back().key;
    const RawState before = world.run(projections().read_raw("short_journal", key));
    const core::Epoch others = all().back().epoch;
    const RawState rebuilt = world.run(projections().rebuild_key_from_log("short_journal", key));
    EXPECT_EQ(rebuilt.state, before.state);
    EXPECT_EQ(rebuilt.version, before.version);
    EXPECT_GT(rebuilt.epoch, before.epoch);
    EXPECT_EQ(world.sink->of(key).back().kind, ChangeKind::reset);
    EXPECT_EQ(world.run(projections().read_raw("short_journal", other)).epoch, others);
    EXPECT_FALSE(
        world.run(projections().range_raw("short_journal", key, rebuilt.epoch, core::Version(0), rebuilt.version))
            .has_value());

    const RawState emptied = [&] {
        static_cast<void>(world.run(projections().rebuild_key<ShortJournal>(key, {})));
        return world.run(projections().read_raw("short_journal", key));
    }();
    EXPECT_FALSE(emptied.exists);
    EXPECT_EQ(emptied.version.value(), 0);
    EXPECT_GT(emptied.epoch, rebuilt.epoch);
    world.rewind();
    world.deliver();
    EXPECT_EQ(world.run(projections().read_raw("short_journal", key)).version.value(), 0);

    static_cast<void>(world.run(projections().rebuild_key_from_log("short_journal", key)));
    fill(200, 99);
    world.deliver();
    expect_sound();
    EXPECT_GT(rebuild().epoch, emptied.epoch);
}

TEST_F(Rebuilding, changed_state_version_is_refused_or_rebuilt_but_never_folded) {
    begin();
    fill(300);
    world.deliver();
    const core::Epoch before = all().front().epoch;
    world.reopen();
    world.make().add<ShortJournal4>(rebuild_queue());
    try {
        world.start();
        FAIL() << "states of another version were taken";
    } catch (const Error& e) {
        EXPECT_EQ(e.kind(), ErrorKind::state_version);
        EXPECT_EQ(testing::error_page_complaint("projection::Error", "state_version", e.what()), "");
    }

    world.make().add<ShortJournal4>(rebuild_queue(), {.on_changed_state = OnChangedState::rebuild});
    world.start(false);
    fill(10, 3);
    EXPECT_THROW(world.deliver(), Error);
    EXPECT_TRUE(all().front().stale);
    EXPECT_TRUE(world.run(projections().status("short_journal")).stale);

    world.run(projections().attach(world.log));
    EXPECT_FALSE(all().front().stale);
    EXPECT_GT(all().front().epoch, before);
    world.deliver();
    expect_sound();
}

TEST_F(Rebuilding, half_built_generation_of_a_crash_is_removed_at_the_next_start) {
    begin();
    fill(100);
    world.deliver();
    world.run(world.execute(
        "insert into sluice_projection(projection, generation, state_version, status, epoch, epoch_given, "
        "ledger_epoch, began, base, created_at, updated_at) select projection, 9, state_version, 'building', 0, 0, 0, "
        "began, base, created_at, updated_at from sluice_projection"));
    world.run(
        world.execute("insert into sluice_projection_state select projection, 9, \"key\", version, epoch, state, "
                      "checksum, position, updated_at from sluice_projection_state"));
    world.reopen();
    begin();
    EXPECT_EQ(world.number("select count(*) from sluice_projection"), 1);
    EXPECT_EQ(world.number("select count(distinct generation) from sluice_projection_state"), 1);
    expect_sound();
}

TEST_F(Rebuilding, verify_within_little_memory_takes_several_passes_and_sees_the_same) {
    begin({.rebuild_bytes = 6'000, .log_chunk = 50});
    fill(1'500);
    world.deliver();
    const VerifyReport report = verify();
    EXPECT_TRUE(report.equal()) << ::testing::PrintToString(report.examples);
    EXPECT_EQ(report.keys, static_cast<std::uint64_t>(world.number("select count(*) from sluice_projection_state")));
}

TEST_F(Rebuilding, verify_names_missing_and_unexpected_keys) {
    begin();
    fill(300);
    world.deliver();
    const std::string gone = all().front().key;
    world.run(
        world.execute("insert into sluice_projection_state select projection, generation, 'ghost', version, epoch, "
                      "state, checksum, position, updated_at from sluice_projection_state limit 1"));
    world.run(world.execute("delete from sluice_projection_state where \"key\" = '" + gone + "'"));
    const VerifyReport report = verify();
    EXPECT_EQ(report.differing, 2u);
}

/// Random journals through the database: failing commits, redelivery, restarts, rebuilds; in the end the stored states
/// are those of the reference, byte for byte.
TEST(DatabaseProperty, live_equals_rebuild_equals_reference) {
    const char* given = std::getenv("SLUICE_TEST_SEED");
    const std::uint64_t first = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
    std::cout << "seed " << first << "\n";
    for (std::uint64_t seed = first; seed < first + 3; ++seed) {
        SCOPED_TRACE("SLUICE_TEST_SEED=" + std::to_string(seed));
        JournalMaker maker(seed, 30);
        JournalModel model;
        World world;
        const auto begin = [&] {
            world.make({.cache_bytes = 20'000, .log_chunk = 200}).add<ShortJournal>(rebuild_queue());
            world.start();
        };
        begin();
        for (int round = 0; round < 120; ++round) {
            for (std::int64_t i = maker.pick(40); i > 0; --i) {
                const Journal::Event event = maker.next();
                world.log.append(rebuild_queue(), event);
                model.take(event, world.log.head().value());
            }
            const std::int64_t chance = maker.pick(20);
            if (chance == 0) world.rewind();
            if (chance == 1) {
                world.reopen();
                begin();
            }
            if (chance == 2) static_cast<void>(world.run(world.projections().rebuild("short_journal")));
            try {
                while (
                    world.run(world.deliver_one(0, static_cast<std::size_t>(maker.pick(30)) + 1, maker.pick(6) == 0))) {
                }
            } catch (const CommitFails&) {
            }
        }
        world.deliver();
        const VerifyReport report = world.run(world.projections().verify("short_journal"));
        EXPECT_TRUE(report.equal()) << ::testing::PrintToString(report.examples);
        for (const auto& [key, expected] : model.keys()) {
            const RawState stored = world.run(world.projections().read_raw("short_journal", key));
            EXPECT_EQ(stored.version.value(), expected.version) << key;
            EXPECT_EQ(stored.state, core::json::encode(expected.state)) << key;
        }
    }
}

}  // namespace
}  // namespace sluice::projection
