#include "sluice/db/mariadb/internal/guard.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::db::mariadb {
namespace {

using ::testing::HasSubstr;

TEST(MariadbGuard, what_would_end_a_unit_is_refused) {
    for (const char* const sql : {"begin",
                                  "START TRANSACTION",
                                  " commit",
                                  "-- x\nrollback",
                                  "rollback work",
                                  "xa start 'x'",
                                  "create table t(a int)",
                                  "CREATE OR REPLACE TABLE t(a int)",
                                  "create index i on t(a)",
                                  "drop table t",
                                  "alter table t add b int",
                                  "truncate t",
                                  "rename table a to b",
                                  "lock tables t write",
                                  "unlock tables",
                                  "grant select on t to u",
                                  "analyze table t",
                                  "set autocommit = 1",
                                  "SET SESSION autocommit=0",
                                  "set @@autocommit = 1",
                                  "set @@session.autocommit = 1",
                                  "set time_zone = 'UTC', autocommit = 1",
                                  "/*! commit */",
                                  "select 1 /*M! into @x */"}) {
        EXPECT_TRUE(unit_refusal(sql).has_value()) << sql;
    }
}

TEST(MariadbGuard, what_ends_no_unit_passes) {
    for (const char* const sql :
         {"select 1", "insert into t values (1)", "savepoint a", "rollback to a", "ROLLBACK WORK TO SAVEPOINT a",
          "release savepoint a", "create temporary table t(a int)", "drop temporary table t", "set @a = 1",
          "set max_statement_time = 1", "call p()", "select 'commit'", "/* commit */ select 1",
          "update autocommit set a = 1"}) {
        EXPECT_EQ(unit_refusal(sql), std::nullopt) << sql;
    }
}

TEST(MariadbGuard, a_refusal_of_ddl_says_what_to_do) {
    EXPECT_THAT(*unit_refusal("create table t(a int)"), HasSubstr("DataSource::acquire"));
}

TEST(MariadbGuard, knows_the_savepoints_of_units) {
    EXPECT_TRUE(is_own_savepoint(statement("SAVEPOINT sluice_savepoint_1")));
    EXPECT_TRUE(is_own_savepoint(statement("ROLLBACK TO SAVEPOINT sluice_savepoint_12")));
    EXPECT_TRUE(is_own_savepoint(statement("RELEASE SAVEPOINT sluice_savepoint_3")));
    EXPECT_FALSE(is_own_savepoint(statement("SAVEPOINT other")));
    EXPECT_FALSE(is_own_savepoint(statement("SAVEPOINT sluice_savepoint_")));
    EXPECT_FALSE(is_own_savepoint(statement("SAVEPOINT sluice_savepoint_1; COMMIT")));
    EXPECT_FALSE(is_own_savepoint(statement("SAVEPOINT sluice_savepoint_1", 1)));
}

}  // namespace
}  // namespace sluice::db::mariadb
