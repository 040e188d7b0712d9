#include "projection_shop.hpp"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sluice/migrate/runner.hpp"
#include "sluice/projection/migrations.hpp"

namespace sluice::projection_tests {
namespace {

const outbox::Queue<StockEvent>& stock() {
    static const outbox::Queue<StockEvent> queue("stock", outbox::lanes(8),
                                                 [](const StockEvent& event) { return StockLevel{}.key(event); });
    return queue;
}

const outbox::Queue<Journal::Event>& journal() {
    static const outbox::Queue<Journal::Event> queue("journal", outbox::lanes(4), [](const Journal::Event& event) {
        const std::vector<std::string> keys = Journal{}.key(event);
        return keys.empty() ? std::string() : keys.front();
    });
    return queue;
}

template <class Event>
db::Task<void> publish_in(db::UnitOfWork& unit, const outbox::Queue<Event>& queue, const Event& event) {
    static_cast<void>(queue.publish(unit, event));
    co_return;
}

}  // namespace

void CheckingSink::publish(std::shared_ptr<const projection::DeltaBatch> batch) noexcept {
    for (const projection::KeyChange& change : batch->changes) {
        Key& key = keys[{batch->projection, change.key}];
        const bool is_delta =
            change.kind == projection::ChangeKind::deltas || change.kind == projection::ChangeKind::removed;
        if (!is_delta) {
            ++resets;
        } else if (key.version != 0 && (change.epoch != key.epoch || change.first_version.value() != key.version + 1)) {
            complaints.push_back(fmt::format("{}/{}: after version {} came {}", batch->projection, change.key,
                                             key.version, change.first_version));
        } else if (static_cast<std::int64_t>(change.deltas.size()) !=
                   change.version.value() - change.first_version.value() + 1) {
            complaints.push_back(fmt::format("{}/{}: {} deltas up to {}", batch->projection, change.key,
                                             change.deltas.size(), change.version));
        }
        key = {change.epoch, change.version.value()};
    }
    if (batch->up_to_seq == 0) return;
    std::int64_t& reached = lanes[{batch->projection, batch->lane}];
    if (reached != 0 && batch->after_seq != reached)
        complaints.push_back(
            fmt::format("{} lane {}: after {} came {}", batch->projection, batch->lane, reached, batch->after_seq));
    reached = batch->up_to_seq;
}

Shop::Shop(const testing::TestDatabase& database) {
    ::testing::Test::RecordProperty("database", std::string(testing::name_of(database.dialect())));
    shards_.start();
    database_ = database.open("shop", metrics_);
    projections_ = std::make_unique<projection::Projections>(database_, core::Logger(), metrics_);
    projections_->add<StockLevel>(stock(), {.mode = projection::Mode::by_lane});
    projections_->add<ShortJournal>(journal());
    projections_->deliver_to(sink_);
    run(start());
}

Shop::~Shop() {
    run(stop());
    shards_.stop();
}

db::Task<void> Shop::start() {
    std::vector<std::vector<migrate::Migration>> modules;
    modules.push_back(outbox::migrations());
    modules.push_back(projection::migrations());
    migrate::Runner runner(std::move(modules), core::Logger());
    const migrate::Report report = co_await runner.run(*database_);
    outbox::Outbox::Builder builder = outbox::Outbox::builder(database_, shards_.at(0), core::Logger(), metrics_);
    builder.profile(runtime::Profile::low_latency());
    builder.queue(stock());
    builder.queue(journal());
    co_await projections_->prepare(builder);
    outbox_ = co_await builder.start();
    co_await projections_->attach(*outbox_);
}

db::Task<void> Shop::stop() {
    if (outbox_) co_await outbox_->stop(std::chrono::seconds(10));
    outbox_.reset();
    projections_.reset();
    co_await database_->close();
    database_.reset();
}

db::Task<void> Shop::publish(StockEvent event) {
    auto body = [&event](db::UnitOfWork& unit) { return publish_in(unit, stock(), event); };
    co_await database_->transaction({}, body);
}

db::Task<void> Shop::publish(Journal::Event event) {
    auto body = [&event](db::UnitOfWork& unit) { return publish_in(unit, journal(), event); };
    co_await database_->transaction({}, body);
}

void Shop::drain() {
    ASSERT_TRUE(run(outbox_->drained(std::chrono::seconds(60)))) << "not everything was folded in a minute";
}

std::int64_t Shop::number(const std::string& sql) {
    return run(query_number(sql));
}

std::int64_t Shop::total(const std::string& member) {
    std::string value = "json_extract(state, '$." + member + "')";
    if (database_->dialect() == db::Dialect::postgres) value = "cast(state as json) ->> '" + member + "'";
    if (database_->dialect() == db::Dialect::mariadb) value = "json_value(state, '$." + member + "')";
    return number("select cast(sum(cast(" + value +
                  " as integer)) as integer) from sluice_projection_state where projection = 'stock_level'");
}

std::int64_t Shop::versions() {
    return number("select cast(sum(version) as integer) from sluice_projection_state where projection = 'stock_level'");
}

db::Task<std::int64_t> Shop::query_number(std::string sql) {
    const std::unique_ptr<db::Connection> connection = co_await database_->acquire(db::AccessIntent::read);
    const db::Result rows = co_await connection->query(std::move(sql));
    co_return rows.rows.front().get<std::optional<std::int64_t>>(0).value_or(0);
}

void Shop::expect_sound() {
    for (const char* const name : {"stock_level", "short_journal"}) {
        const projection::VerifyReport report = run(projections_->verify(name));
        EXPECT_TRUE(report.equal()) << name << ": " << ::testing::PrintToString(report.examples);
    }
}

}  // namespace sluice::projection_tests
