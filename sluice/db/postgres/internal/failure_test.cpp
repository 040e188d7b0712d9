#include "sluice/db/postgres/internal/failure.hpp"

#include <gtest/gtest.h>

namespace sluice::db::postgres {
namespace {

TEST(PostgresFailure, data_exceptions_lose_what_they_quote_and_others_keep_names) {
    EXPECT_EQ(without_values("22P02", "invalid input syntax for type integer: \"4711\""),
              "invalid input syntax for type integer: ?");
    EXPECT_EQ(without_values("22003", "value \"99\"\"9\" is out of range for type integer"),
              "value ? is out of range for type integer");
    EXPECT_EQ(without_values("23505", "duplicate key value violates unique constraint \"item_pkey\""),
              "duplicate key value violates unique constraint \"item_pkey\"");
    EXPECT_EQ(without_values("22012", "division by zero"), "division by zero");
    EXPECT_EQ(without_values("XX000", "first\nsecond"), "first");
}

TEST(PostgresFailure, finds_the_code_of_a_refused_connection) {
    EXPECT_EQ(sqlstate_of("connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  28P01\n"), "28P01");
    EXPECT_EQ(sqlstate_of("connection to server at \"h\", port 1 failed: Connection refused\n\tIs the server"), "");
    EXPECT_EQ(sqlstate_of(""), "");
    EXPECT_EQ(sqlstate_of("28P01"), "");
}

}  // namespace
}  // namespace sluice::db::postgres
