#include "sluice/db/postgres/internal/guard.hpp"

#include <gtest/gtest.h>

namespace sluice::db::postgres {
namespace {

TEST(PostgresGuard, refuses_what_would_end_the_transaction) {
    for (const char* const sql : {"commit", " /* x */ COMMIT work", "-- x\nEnd", "abort", "begin", "start transaction",
                                  "rollback", "ROLLBACK WORK", "rollback transaction", "rollback prepared 'x'",
                                  "prepare transaction 'x'", "rollback and chain"}) {
        EXPECT_TRUE(unit_refusal(sql).has_value()) << sql;
    }
}

TEST(PostgresGuard, allows_savepoints_and_everything_else) {
    for (const char* const sql : {"rollback to a", "ROLLBACK TO SAVEPOINT a", "rollback work to savepoint a",
                                  "savepoint a", "release savepoint a", "select 1", "prepare x as select 1", "",
                                  "(select 1)", "insert into t values ('commit')", "\"commit\""}) {
        EXPECT_FALSE(unit_refusal(sql).has_value()) << sql;
    }
}

}  // namespace
}  // namespace sluice::db::postgres
