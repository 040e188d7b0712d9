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

/// A source through the pooler whose statements are prepared, which they must not be there.
std::shared_ptr<db::DataSource> open_wrongly(std::string name, core::Metrics& metrics) {
    db::postgres::Settings settings;
    settings.name = std::move(name);
    settings.dsn = server_address("pgbouncer.app");
    settings.pool.max = 1;
    return db::postgres::Database::open(settings, {}, metrics);
}

/// The statement's answer, or the text of its error.
Task<std::string> ask(db::DataSource& source, std::string sql) {
    std::string answer;
    try {
        const auto connection = co_await source.acquire(db::AccessIntent::read);
        const db::Result result = co_await connection->query(std::move(sql));
        answer = result.rows.at(0).get<std::string>(0);
    } catch (const db::Error& error) {
        EXPECT_EQ(error.kind(), db::ErrorKind::query);
        answer = error.what();
    }
    co_return answer;
}

TEST(PostgresPooled, statements_prepared_behind_the_pooler_are_refused_with_what_to_do_and_never_mixed_up) {
    runtime::ShardGroup shards(1);
    shards.start();
    core::Metrics metrics;
    const auto first = open_wrongly("first", metrics);
    const auto second = open_wrongly("second", metrics);
    // Two at once, so that the pooler has two sessions from now on.
    const auto overlap = [&second](db::UnitOfWork& unit) -> Task<void> {
        co_await unit.query("select 1");
        static_cast<void>(co_await ask(*second, "select 1::text"));
    };
    runtime::block_on(shards.at(0), first->transaction({}, overlap));
    int refused = 0;
    for (int i = 0; i < 20; ++i) {
        for (const auto& source : {first, second}) {
            const std::string own(source->name());
            const std::string answer = runtime::block_on(shards.at(0), ask(*source, "select '" + own + "'"));
            if (answer == own) continue;
            ++refused;
            EXPECT_THAT(answer, ::testing::HasSubstr("set `statement_cache` to 0"));
        }
    }
    EXPECT_GE(refused, 1) << "the pooler never switched sessions";
    runtime::block_on(shards.at(0), first->close());
    runtime::block_on(shards.at(0), second->close());
    shards.stop();
}

}  // namespace
}  // namespace sluice::contract
