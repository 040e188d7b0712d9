// What the pool tells of its borrowers, through the facade on a real server.
#include <gmock/gmock.h>

#include "driver.hpp"
#include "servers.hpp"
#include "sluice/db/postgres/database.hpp"
#include "sluice/testing/log_capture.hpp"

namespace sluice::contract {
namespace {

using std::chrono::milliseconds;

Task<void> until_reported(testing::CapturingSink& log) {
    while (log.lines().empty())
        co_await runtime::sleep_for(milliseconds(1));  // lint: allow sleep: between two looks at the log
}

class PostgresPool : public ::testing::Test {
protected:
    void SetUp() override {
        shards_.start();
        db::postgres::Settings settings;
        settings.name = "shop";
        settings.dsn = server_address("postgres.app");
        settings.pool.leak_age = milliseconds(1);
        settings.pool.sweep_interval = milliseconds(1);
        source_ = db::postgres::Database::open(settings, core::Logger(log_, core::LogLevel::info), metrics_);
    }
    void TearDown() override {
        runtime::block_on(shards_.at(0), source_->close());
        shards_.stop();
    }
    /// One report that names `line` of this file.
    void expect_report_of_line(std::uint_least32_t line) {
        ASSERT_EQ(log_->lines().size(), 1U);
        const std::string place = "postgres_pool_test.cpp:" + std::to_string(line);
        EXPECT_THAT(log_->lines().at(0).text,
                    ::testing::MatchesRegex("shop: a connection borrowed at [^ ]*" + place +
                                            " has been kept for [0-9]+ s; is it given back\\?"));
    }

    runtime::ShardGroup shards_{1};
    core::Metrics metrics_;
    std::shared_ptr<testing::CapturingSink> log_ = std::make_shared<testing::CapturingSink>();
    std::shared_ptr<db::DataSource> source_;
};

TEST_F(PostgresPool, reports_who_keeps_a_connection_by_the_line_that_acquired_it) {
    std::uint_least32_t line = 0;
    const auto keep = [this](std::uint_least32_t& asked) -> Task<void> {
        asked = std::source_location::current().line() + 1;
        const auto connection = co_await source_->acquire(db::AccessIntent::read);
        co_await until_reported(*log_);
    };
    runtime::block_on(shards_.at(0), keep(line));
    expect_report_of_line(line);
}

TEST_F(PostgresPool, reports_a_unit_that_lasts_too_long_by_the_line_that_began_it) {
    const auto linger = [this](db::UnitOfWork& unit) -> Task<void> {
        co_await unit.query("select 1");
        co_await until_reported(*log_);
    };
    const auto here = std::source_location::current();
    runtime::block_on(shards_.at(0), source_->transaction({}, linger));
    expect_report_of_line(here.line() + 1);
}

}  // namespace
}  // namespace sluice::contract
