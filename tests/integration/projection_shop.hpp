// A database with an outbox and projections over it, as a program has them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sluice/db/data_source.hpp"
#include "sluice/outbox/outbox.hpp"
#include "sluice/projection/runtime.hpp"
#include "sluice/projection/test_sample_projections.hpp"
#include "sluice/runtime/outside.hpp"
#include "sluice/testing/test_database.hpp"

namespace sluice::projection_tests {

using projection::sample::Journal;
using projection::sample::ShortJournal;
using projection::sample::StockEvent;
using projection::sample::StockLevel;

/// Checks on its way that each key's versions come once and in order; a reset may begin anew.
class CheckingSink final : public projection::DeltaSink {
public:
    void publish(std::shared_ptr<const projection::DeltaBatch> batch) noexcept override;

    struct Key {
        core::Epoch epoch;
        std::int64_t version = 0;
    };
    std::map<std::pair<std::string, std::string>, Key> keys;  // projection and key
    std::map<std::pair<std::string, core::LaneId>, std::int64_t> lanes;
    std::vector<std::string> complaints;
    std::int64_t resets = 0;
};

/// Everything lives on one shard; the calls are made from the test's thread.
class Shop {
public:
    explicit Shop(const testing::TestDatabase& database);
    /// Stops in order.
    ~Shop();
    Shop(const Shop&) = delete;
    Shop& operator=(const Shop&) = delete;

    template <class T>
    T run(db::Task<T> task) {
        return runtime::block_on(shards_.at(0), std::move(task));
    }
    /// A unit with nothing but its event.
    db::Task<void> publish(StockEvent event);
    db::Task<void> publish(Journal::Event event);
    /// Waits until everything is folded; fails the test after a minute.
    void drain();
    [[nodiscard]] std::int64_t number(const std::string& sql);
    /// The sum of a member over the states of stock_level.
    [[nodiscard]] std::int64_t total(const std::string& member);
    /// The events folded into stock_level.
    [[nodiscard]] std::int64_t versions();
    /// Both projections equal a pure fold of the log.
    void expect_sound();

    [[nodiscard]] runtime::Shard& shard() { return shards_.at(0); }
    [[nodiscard]] db::DataSource& source() { return *database_; }
    [[nodiscard]] outbox::Outbox& log() { return *outbox_; }
    [[nodiscard]] projection::Projections& projections() { return *projections_; }
    [[nodiscard]] CheckingSink& sink() { return *sink_; }

private:
    db::Task<void> start();
    db::Task<void> stop();
    db::Task<std::int64_t> query_number(std::string sql);

    core::Metrics metrics_;
    runtime::ShardGroup shards_{1};
    std::shared_ptr<db::DataSource> database_;
    std::shared_ptr<CheckingSink> sink_ = std::make_shared<CheckingSink>();  // shared with the projections
    std::unique_ptr<projection::Projections> projections_;
    std::unique_ptr<outbox::Outbox> outbox_;
};

/// What the killed program does until it dies.
int run_projection_child(const std::string& dsn, std::uint64_t seed);

}  // namespace sluice::projection_tests
