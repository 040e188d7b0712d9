// Many writers, an outbox and projections at once: exact totals, versions without gaps, states equal to a fold of the
// log.
#include <algorithm>
#include <future>

#include <gtest/gtest.h>

#include "projection_shop.hpp"
#include "sluice/projection/test_journal_model.hpp"
#include "sluice/testing/scale.hpp"

namespace sluice::projection_tests {
namespace {

using projection::sample::JournalMaker;
using projection::sample::OrderPlaced;
using projection::sample::StockReceived;

db::Task<void> write_stock(Shop& shop, int writer, int events, int keys) {
    for (int i = 0; i < events; ++i) {
        const std::string article = "article-" + std::to_string((writer * 7919 + i) % keys);
        StockEvent event = StockReceived{article, 2};
        if (i % 2 != 0) event = OrderPlaced{article, 1};
        co_await shop.publish(std::move(event));
    }
}

db::Task<void> write_journal(Shop& shop, std::uint64_t seed, int events) {
    JournalMaker maker(seed, 20);
    for (int i = 0; i < events; ++i) {
        Journal::Event event = maker.next();
        co_await shop.publish(std::move(event));
    }
}

void expect_totals(Shop& shop, std::int64_t events) {
    EXPECT_EQ(shop.versions(), events);
    EXPECT_EQ(shop.total("on_hand"), events);
    EXPECT_EQ(shop.total("reserved"), events / 2);
    EXPECT_TRUE(shop.sink().complaints.empty()) << ::testing::PrintToString(shop.sink().complaints);
}

void many_writers(int writers, int events, int keys) {
    const testing::TestDatabase database;
    Shop shop(database);
    std::vector<std::future<void>> running;
    for (int writer = 0; writer < writers; ++writer)
        running.push_back(runtime::start_on(shop.shard(), write_stock(shop, writer, events, keys)));
    for (std::future<void>& one : running)
        one.get();
    shop.drain();
    expect_totals(shop, static_cast<std::int64_t>(writers) * events);
    shop.expect_sound();
}

TEST(ProjectionLoad, twenty_writers_over_5_keys_lose_and_double_nothing) {
    many_writers(20, testing::scaled(50) * 2, 5);
}

TEST(ProjectionLoad, sixty_four_writers_over_10000_keys_lose_and_double_nothing) {
    many_writers(64, testing::scaled(40) * 2, 10'000);
}

TEST(ProjectionLoad, restart_goes_on_where_the_cursor_stood) {
    const testing::TestDatabase database;
    for (int start = 0; start < 3; ++start) {
        Shop shop(database);
        shop.run(write_stock(shop, start, 50, 5));
        if (start == 2) {
            shop.drain();
            expect_totals(shop, 150);
            shop.expect_sound();
        }
    }
}

TEST(ProjectionLoad, competing_writers_of_one_key_cannot_lose_an_update) {
    const testing::TestDatabase database;
    Shop shop(database);
    const auto write_directly = [](Shop& to, int events) -> db::Task<void> {
        for (int i = 0; i < events; ++i) {
            auto body = [&to](db::UnitOfWork& unit) -> db::Task<void> {
                const StockReceived received{"article-0", 2};
                static_cast<void>(co_await to.projections().apply_event<StockLevel>(unit, received));
            };
            db::TransactionOptions options;
            options.retry_serialization = 100;
            co_await to.source().transaction(options, body);
        }
    };
    std::vector<std::future<void>> running;
    for (int writer = 0; writer < 4; ++writer)
        running.push_back(runtime::start_on(shop.shard(), write_stock(shop, 0, 40, 1)));
    running.push_back(runtime::start_on(shop.shard(), write_directly(shop, 60)));
    for (std::future<void>& one : running)
        one.get();
    shop.drain();
    const auto level = shop.run(shop.projections().read_required<StockLevel>("article-0"));
    EXPECT_EQ(level.version.value(), 4 * 40 + 60);
    EXPECT_EQ(level.state.on_hand, 4 * 40 + 2 * 60);
}

TEST(ProjectionLoad, rebuild_under_load_equals_the_fold_of_the_log) {
    const testing::TestDatabase database;
    Shop shop(database);
    shop.run(write_journal(shop, 1, testing::scaled(300)));
    std::vector<std::future<void>> running;
    for (std::uint64_t writer = 0; writer < 6; ++writer)
        running.push_back(runtime::start_on(shop.shard(), write_journal(shop, writer + 2, testing::scaled(150))));
    for (int i = 0; i < 3; ++i) {
        const projection::RebuildReport report = shop.run(shop.projections().rebuild("short_journal"));
        EXPECT_GT(report.events, 0u);
    }
    for (std::future<void>& one : running)
        one.get();
    shop.drain();
    shop.expect_sound();
}

}  // namespace
}  // namespace sluice::projection_tests
