#include "sluice/migrate/internal/statement_kind.hpp"

#include <gtest/gtest.h>

namespace sluice::migrate::internal {
namespace {

using db::Dialect;

TEST(statement_kind, postgres_statements_that_refuse_a_transaction_run_alone) {
    for (const char* const sql :
         {"create index concurrently i on t(x)", "CREATE UNIQUE INDEX CONCURRENTLY i ON t(x)",
          "-- why\n/* and how */ create /* now */ index\nconcurrently if not exists i on t(x)",
          "drop index concurrently i", "reindex (concurrently) table t", "reindex index concurrently i",
          "reindex database d", "vacuum", "vacuum (analyze) t", "create database d", "drop database d",
          "create tablespace s location '/x'", "alter system set work_mem = '1MB'", "alter database d set tablespace s",
          "alter table t detach partition p concurrently", "create subscription s connection '' publication p",
          "cluster"})
        EXPECT_TRUE(runs_alone(sql, Dialect::postgres)) << sql;
}

TEST(statement_kind, what_a_postgres_transaction_holds_stays_in_it) {
    for (const char* const sql :
         {"create index i on t(x)", "create index concurrently_made on t(x)", "create table concurrently(x int)",
          "drop index i", "alter table t add column detach int", "alter table t detach partition p",
          "alter database d set work_mem = '1MB'", "insert into t values ('create index concurrently i on t(x)')",
          "cluster t using i", "refresh materialized view concurrently v", "reindex table t",
          "alter type e add value 'x'", "", "-- create index concurrently"})
        EXPECT_FALSE(runs_alone(sql, Dialect::postgres)) << sql;
}

TEST(statement_kind, mariadb_keeps_only_changes_of_rows_in_a_transaction) {
    for (const char* const sql : {"insert into t values (1)", "# why\nUPDATE t SET x = 1",
                                  "with a as (select 1) select 1", "delete from t", "replace into t values (1)"})
        EXPECT_FALSE(runs_alone(sql, Dialect::mariadb)) << sql;
    for (const char* const sql :
         {"create table t(x int)", "alter table t add y int", "drop table t", "truncate t", "rename table a to b",
          "/*!40101 alter table t disable keys */", "grant all on t to u"})
        EXPECT_TRUE(runs_alone(sql, Dialect::mariadb)) << sql;
}

TEST(statement_kind, what_would_change_a_mariadb_connection_is_refused) {
    for (const char* const sql : {"commit", "begin", "START TRANSACTION", "rollback", "set foreign_key_checks = 0",
                                  "use other", "lock tables t write", "xa start 'x'"})
        EXPECT_TRUE(refusal_of(sql)) << sql;
    for (const char* const sql : {"create table t(x int)", "begin not atomic select 1; end", "insert into t values (1)",
                                  "set statement foreign_key_checks = 0 for create table t(x int)", ""})
        EXPECT_FALSE(refusal_of(sql)) << sql;
}

TEST(statement_kind, sqlite_holds_everything_in_a_transaction) {
    EXPECT_FALSE(runs_alone("vacuum", Dialect::sqlite));
}

TEST(statement_kind, one_statement_that_runs_alone_makes_the_migration_stepwise) {
    const Migration one{"m",
                        1,
                        "n",
                        {{Dialect::postgres, {"create table t(x int)", "vacuum"}},
                         {Dialect::mariadb, {"insert into t values (1)"}},
                         {Dialect::sqlite, {"vacuum"}}}};
    EXPECT_TRUE(runs_stepwise(one, Dialect::postgres));
    EXPECT_TRUE(runs_stepwise(one, Dialect::mariadb));
    EXPECT_FALSE(runs_stepwise(one, Dialect::sqlite));
    const Migration other{"m", 1, "n", {{Dialect::postgres, {"create table t(x int)", "create index i on t(x)"}}}};
    EXPECT_FALSE(runs_stepwise(other, Dialect::postgres));
}

TEST(statement_kind, the_index_is_named_where_its_table_lives) {
    EXPECT_EQ(concurrent_index("create index concurrently i on t(x)"), "i");
    EXPECT_EQ(concurrent_index("create unique index concurrently if not exists \"My I\" on only shop.t(x)"),
              "shop.\"My I\"");
    EXPECT_EQ(concurrent_index("create index concurrently i on \"s\".t using gin (x)"), "\"s\".i");
    EXPECT_EQ(concurrent_index("create index concurrently on t(x)"), "");
    EXPECT_EQ(concurrent_index("create index i on t(x)"), std::nullopt);
    EXPECT_EQ(concurrent_index("drop index concurrently i"), std::nullopt);
}

}  // namespace
}  // namespace sluice::migrate::internal
