#include "sluice/testing/test_database.hpp"

#include <gtest/gtest.h>

#include "sluice/runtime/outside.hpp"

namespace sluice::testing {
namespace {

db::Task<void> make_article(db::DataSource& source) {
    const auto connection = co_await source.acquire(db::AccessIntent::write);
    co_await connection->execute("create table article(id bigint primary key, name text)");
    co_await connection->execute("insert into article values (1, $1)", "a lamp");
}

void fill(const TestDatabase& database) {
    runtime::ShardGroup shards(1);
    shards.start();
    core::Metrics metrics;
    const auto source = database.open("shop", metrics);
    EXPECT_EQ(source->dialect(), database.dialect());
    runtime::block_on(shards.at(0), make_article(*source));
    runtime::block_on(shards.at(0), source->close());
    shards.stop();
}

TEST(TestDatabase, its_shell_sees_what_a_data_source_has_committed) {
    const TestDatabase database;
    fill(database);
    const ShellAnswer answer = database.shell("select id, name from article");
    EXPECT_EQ(answer.status, 0) << answer.output;
    EXPECT_EQ(answer.output, "1|a lamp\n");
}

TEST(TestDatabase, each_is_empty_and_another_process_may_open_it_by_its_dsn) {
    const TestDatabase first;
    const TestDatabase second;
    fill(first);
    fill(second);
    const TestDatabase again(first.dsn());
    EXPECT_EQ(again.dialect(), first.dialect());
    EXPECT_EQ(again.shell("select count(*) from article").output, "1\n");
}

TEST(TestDatabase, shell_tells_of_a_statement_that_failed_and_runs_none_after_it) {
    const TestDatabase database;
    const ShellAnswer answer =
        database.shell("create table a(id bigint);\nselect no_such_thing;\ncreate table b(id bigint);");
    EXPECT_NE(answer.status, 0);
    EXPECT_NE(answer.output.find("no_such_thing"), std::string::npos) << answer.output;
    EXPECT_EQ(database.shell("select count(*) from a").status, 0);
    EXPECT_NE(database.shell("select count(*) from b").status, 0);
}

}  // namespace
}  // namespace sluice::testing
