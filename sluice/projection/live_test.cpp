// Batches through a real database: what is stored, what is told, and what happens when a commit does not come to
// pass.
#include <algorithm>

#include <gtest/gtest.h>

#include "sluice/projection/internal/state_cache.hpp"
#include "sluice/projection/internal/test_world.hpp"
#include "sluice/projection/test_sample_projections.hpp"
#include "sluice/testing/error_page.hpp"

namespace sluice::projection {
namespace {

using namespace sample;

const outbox::Queue<StockEvent>& stock_queue() {
    static const outbox::Queue<StockEvent> queue("stock", outbox::lanes(4),
                                                 [](const StockEvent& e) { return StockLevel{}.key(e); });
    return queue;
}

class LiveProjection : public ::testing::Test {
protected:
    void begin(Options options = {}) {
        world.make().add<StockLevel>(stock_queue(), options);
        world.start();
    }
    void receive(const std::string& article, std::int64_t quantity) {
        world.log.append(stock_queue(), StockEvent(StockReceived{article, quantity}));
    }
    RawState raw(const std::string& key) { return world.run(world.projections().read_raw("stock_level", key)); }

    World world;
};

TEST_F(LiveProjection, commits_state_version_and_deltas_and_then_tells_the_sink) {
    begin();
    receive("A-1", 5);
    receive("A-1", 3);
    receive("B-2", 1);
    world.deliver();

    const auto level = world.run(world.projections().read_required<StockLevel>("A-1"));
    EXPECT_EQ(level.state.on_hand, 8);
    EXPECT_EQ(level.version.value(), 2);
    EXPECT_EQ(world.number("select count(*) from sluice_projection_state"), 2);
    EXPECT_EQ(world.number("select count(*) from sluice_projection_delta"), 2);
    EXPECT_EQ(world.number("select position from sluice_projection_lane"), 3);

    ASSERT_EQ(world.sink->batches.size(), 1u);
    const DeltaBatch& batch = *world.sink->batches.front();
    EXPECT_EQ(batch.source, "shop");
    EXPECT_EQ(batch.projection, "stock_level");
    EXPECT_EQ(batch.after_seq, 0);
    EXPECT_EQ(batch.up_to_seq, 3);
    ASSERT_EQ(batch.changes.size(), 2u);
    EXPECT_EQ(batch.changes[0].epoch, level.epoch);
    EXPECT_EQ(batch.changes[0].first_version.value(), 1);
    EXPECT_EQ(batch.changes[0].version.value(), 2);
    EXPECT_EQ(batch.changes[0].deltas.back(), R"({"on_hand":3,"reserved":0})");
}

TEST_F(LiveProjection, tells_nobody_and_stores_nothing_when_the_commit_fails) {
    begin();
    receive("A-1", 5);
    EXPECT_THROW(world.run(world.deliver_one(0, 100, true)), CommitFails);
    EXPECT_TRUE(world.sink->batches.empty());
    EXPECT_FALSE(raw("A-1").exists);

    world.deliver();
    EXPECT_EQ(raw("A-1").version.value(), 1);
    receive("A-1", 5);
    EXPECT_THROW(world.run(world.deliver_one(0, 100, true)), CommitFails);
    EXPECT_EQ(raw("A-1").version.value(), 1);
    world.deliver();
    EXPECT_EQ(raw("A-1").version.value(), 2);
    EXPECT_EQ(raw("A-1").state, R"({"on_hand":10,"reserved":0})");
    EXPECT_EQ(world.sink->of("A-1").size(), 2u);
}

TEST_F(LiveProjection, batches_of_a_lane_chain_without_a_gap) {
    Options options;
    options.mode = Mode::by_lane;
    begin(options);
    for (int i = 0; i < 60; ++i)
        receive("article-" + std::to_string(i % 11), 1);
    world.deliver(0, 7);

    std::map<core::LaneId, std::int64_t> reached;
    for (const auto& batch : world.sink->batches) {
        EXPECT_EQ(batch->after_seq, reached[batch->lane]);
        reached[batch->lane] = batch->up_to_seq;
    }
    std::int64_t total = 0;
    for (const auto& [lane, sequence] : reached)
        total += sequence;
    EXPECT_EQ(total, 60);
    EXPECT_EQ(world.number("select cast(sum(sequence) as integer) from sluice_projection_lane"), 60);
}

TEST_F(LiveProjection, replayed_log_changes_nothing) {
    begin();
    for (int i = 0; i < 20; ++i)
        receive("A-1", i);
    world.deliver(0, 3);
    const RawState before = raw("A-1");
    world.rewind();
    world.deliver(0, 5);
    EXPECT_EQ(raw("A-1").version, before.version);
    EXPECT_EQ(raw("A-1").state, before.state);
}

TEST_F(LiveProjection, another_writer_of_the_key_aborts_the_batch_and_empties_the_cache) {
    begin();
    receive("A-1", 5);
    world.deliver();
    world.run(world.execute("update sluice_projection_state set version = version + 1"));
    receive("A-1", 1);
    try {
        world.deliver();
        FAIL() << "a lost update went through";
    } catch (const Error& e) {
        EXPECT_EQ(e.kind(), ErrorKind::conflict);
        EXPECT_EQ(testing::error_page_complaint("projection::Error", "conflict", e.what()), "");
    }
    EXPECT_EQ(world.sink->of("A-1").size(), 1u);
    world.deliver();
    EXPECT_EQ(raw("A-1").version.value(), 3);
}

TEST_F(LiveProjection, hot_key_is_not_read_again) {
    core::Metrics metrics;
    World hot(1, &metrics);
    hot.make().add<StockLevel>(stock_queue());
    hot.start();
    for (int i = 0; i < 10; ++i) {
        hot.log.append(stock_queue(), StockEvent(StockReceived{"A-1", 1}));
        hot.deliver();
    }
    const core::Labels labels = {{"source", "shop"}, {"projection", "stock_level"}};
    EXPECT_EQ(metrics.counter("sluice_projection_cache_misses_total", "", labels).value(), 1);
    EXPECT_EQ(metrics.counter("sluice_projection_cache_hits_total", "", labels).value(), 9);
}

TEST_F(LiveProjection, restart_goes_on_where_it_stood) {
    begin();
    receive("A-1", 5);
    world.deliver();
    const RawState before = raw("A-1");
    world.reopen();
    begin();
    EXPECT_EQ(raw("A-1").epoch, before.epoch);
    receive("A-1", 2);
    world.deliver();
    EXPECT_EQ(raw("A-1").version.value(), 2);
    EXPECT_EQ(raw("A-1").state, R"({"on_hand":7,"reserved":0})");
}

TEST_F(LiveProjection, ledger_epoch_that_rises_raises_the_epoch_and_resets_subscribers) {
    begin();
    receive("A-1", 5);
    world.deliver();
    const RawState before = raw("A-1");
    world.log.epoch = core::Epoch(2);
    receive("A-1", 1);
    world.deliver();
    const RawState after = raw("A-1");
    EXPECT_GT(after.epoch, before.epoch);
    EXPECT_EQ(after.version.value(), 2);
    const KeyChange told = world.sink->of("A-1").back();
    EXPECT_EQ(told.kind, ChangeKind::reset);
    EXPECT_EQ(told.epoch, after.epoch);
    EXPECT_EQ(told.state, after.state);
}

TEST_F(LiveProjection, stored_state_that_was_tampered_with_is_never_folded) {
    begin();
    receive("A-1", 5);
    receive("B-2", 5);
    world.deliver();
    world.run(world.execute(
        R"(update sluice_projection_state set state = '{"on_hand":6,"reserved":0}' where "key" = 'A-1')"));
    EXPECT_THROW(static_cast<void>(raw("A-1")), Error);
    world.reopen();
    begin();
    receive("A-1", 1);
    receive("B-2", 1);
    world.deliver();
    EXPECT_EQ(raw("B-2").version.value(), 2);
    const ProjectionStatus status = world.run(world.projections().status("stock_level"));
    ASSERT_EQ(status.parked.size(), 1u);
    EXPECT_EQ(status.parked[0].key, "A-1");
    EXPECT_NE(status.parked[0].text.find("checksum"), std::string::npos);
}

TEST_F(LiveProjection, event_given_directly_answers_version_and_delta) {
    begin();
    std::vector<AppliedKey> applied;
    auto body = [&](db::UnitOfWork& unit) -> db::Task<void> {
        const StockReceived received{"A-1", 4};
        applied = co_await world.projections().apply_event<StockLevel>(unit, received);
        EXPECT_TRUE(world.sink->batches.empty());
    };
    world.run(world.source().transaction({}, body));
    ASSERT_EQ(applied.size(), 1u);
    EXPECT_EQ(applied[0].version.value(), 1);
    EXPECT_EQ(applied[0].delta, R"({"on_hand":4,"reserved":0})");
    EXPECT_EQ(world.sink->of("A-1").size(), 1u);
}

TEST(StateCache, keeps_to_its_limit_and_to_one_generation) {
    internal::StateCache cache(4'000);
    const auto definition = define<StockLevel>();
    for (int i = 0; i < 100; ++i) {
        KeyStates states;
        KeyState& state = states["key-" + std::to_string(i)];
        state.state = definition->initial();
        state.stored = true;
        state.bytes = std::string(100, ' ');
        cache.put(1, std::move(states));
        EXPECT_LE(cache.bytes(), 4'000u);
    }
    EXPECT_GT(cache.keys(), 1u);
    std::vector<std::string_view> wanted = {"key-99", "key-0"};
    KeyStates taken;
    EXPECT_EQ(cache.take(1, wanted, taken), 1u);
    EXPECT_TRUE(taken.contains("key-99"));
    wanted = {"key-98"};
    EXPECT_EQ(cache.take(2, wanted, taken), 0u);
    EXPECT_EQ(cache.keys(), 0u);
}

}  // namespace
}  // namespace sluice::projection
