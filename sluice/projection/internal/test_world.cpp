#include "sluice/projection/internal/test_world.hpp"

#include <gtest/gtest.h>

namespace sluice::projection {

template std::shared_ptr<const Definition> define<sample::StockLevel>(sample::StockLevel);
template std::shared_ptr<const Definition> define<sample::Journal>(sample::Journal);
template std::shared_ptr<const Definition> define<sample::ShortJournal>(sample::ShortJournal);

}  // namespace sluice::projection

namespace sluice::projection::sample {
namespace {

db::Task<void> handle_in_unit(db::UnitOfWork& unit, const outbox::BatchHandler& handler, const outbox::Batch& batch,
                              const std::function<db::Task<void>()>& before_commit) {
    co_await handler(unit, batch);
    if (before_commit) co_await before_commit();
}

std::vector<std::string> tables_of(db::Dialect dialect) {
    if (dialect == db::Dialect::postgres) return internal::postgres_tables();
    if (dialect == db::Dialect::mariadb) return internal::mariadb_tables();
    return internal::sqlite_tables();
}

}  // namespace

World::World(std::uint16_t lanes, core::Metrics* shared)
    : log(lanes), metrics_(shared != nullptr ? *shared : own_metrics_) {
    open();
    run(create_tables());
}

World::~World() {
    close();
}

Projections& World::make(Settings settings) {
    projections_ = std::make_unique<Projections>(source_, core::Logger(), metrics_, settings, clock);
    projections_->deliver_to(sink);
    cursors_.clear();
    return *projections_;
}

void World::start(bool attached) {
    run(projections_->prepare());
    subscriptions_ = projections_->subscriptions();
    if (attached) run(projections_->attach(log));
}

void World::reopen() {
    close();
    open();
}

void World::deliver(std::size_t subscription, std::size_t size) {
    while (run(deliver_one(subscription, size, false))) {
    }
}

db::Task<bool> World::deliver_one(std::size_t subscription, std::size_t size, bool fails) {
    const Subscription& to = subscriptions_.at(subscription);
    std::optional<outbox::Batch> batch = next_batch(to, subscription, size);
    if (!batch) co_return false;
    const auto fail = []() -> db::Task<void> {
        throw CommitFails();
        co_return;
    };
    std::function<db::Task<void>()> before_commit;
    if (fails) before_commit = fail;
    co_await deliver_batch(to, subscription, std::move(*batch), std::move(before_commit));
    co_return true;
}

db::Task<bool> World::deliver_lane(std::size_t subscription, core::LaneId lane, std::size_t size,
                                   std::function<db::Task<void>()> before_commit) {
    const Subscription& to = subscriptions_.at(subscription);
    std::optional<outbox::Batch> batch = next_of_lane(to, subscription, lane, size);
    if (!batch) co_return false;
    co_await deliver_batch(to, subscription, std::move(*batch), std::move(before_commit));
    co_return true;
}

db::Task<void> World::deliver_batch(const Subscription& to, std::size_t subscription, outbox::Batch batch,
                                    std::function<db::Task<void>()> before_commit) {
    auto body = [&](db::UnitOfWork& unit) { return handle_in_unit(unit, to.handler, batch, before_commit); };
    co_await source_->transaction({}, body);
    cursors_[{subscription, batch.lane}] = batch.up_to;
}

db::Task<void> World::execute(std::string sql) {
    auto body = [&sql](db::UnitOfWork& unit) { return unit.execute(sql); };
    static_cast<void>(co_await source_->transaction({}, body));
}

std::int64_t World::number(const std::string& sql) {
    return run(query_number(sql));
}

void World::open() {
    source_ = database_.open("shop", metrics_);
    ::testing::Test::RecordProperty("database", std::string(testing::name_of(database_.dialect())));
}

void World::close() {
    projections_.reset();
    subscriptions_.clear();
    if (source_ != nullptr) run(source_->close());
    source_.reset();
}

/// On a connection: MariaDB's units refuse to create tables.
db::Task<void> World::create_tables() {
    const std::vector<std::string> tables = tables_of(database_.dialect());
    const std::unique_ptr<db::Connection> connection = co_await source_->acquire(db::AccessIntent::write);
    for (const std::string& sql : tables)
        co_await connection->execute(sql);
}

db::Task<std::int64_t> World::query_number(std::string sql) {
    const std::unique_ptr<db::Connection> connection = co_await source_->acquire(db::AccessIntent::read);
    const db::Result rows = co_await connection->query(sql);
    co_return rows.rows.front().get<std::int64_t>(0);
}

std::optional<outbox::Batch> World::next_batch(const Subscription& to, std::size_t subscription, std::size_t size) {
    const std::uint16_t lanes = to.mode == Mode::merged ? 1 : log.lanes();
    for (std::uint16_t lane = 0; lane < lanes; ++lane)
        if (auto batch = next_of_lane(to, subscription, core::LaneId(lane), size)) return batch;
    return std::nullopt;
}

std::optional<outbox::Batch> World::next_of_lane(const Subscription& to, std::size_t subscription, core::LaneId lane,
                                                 std::size_t size) {
    const bool merged = to.mode == Mode::merged;
    outbox::Batch batch;
    batch.subscription = to.name;
    batch.queue = to.queues.front();
    batch.lane = lane;
    batch.after = cursors_[{subscription, batch.lane}];
    batch.up_to = batch.after;
    for (const outbox::Message& message : log.messages) {
        const std::int64_t at = merged ? message.position.value() : message.sequence.value();
        if (at <= batch.after || (!merged && message.lane != batch.lane)) continue;
        if (std::ranges::find(to.queues, message.queue) == to.queues.end()) continue;
        if (batch.messages.size() == size) break;
        batch.up_to = at;
        batch.ledger_epoch = std::max(batch.ledger_epoch, message.ledger_epoch);
        batch.messages.push_back(message);
    }
    if (batch.messages.empty()) return std::nullopt;
    return batch;
}

}  // namespace sluice::projection::sample
