#include "sluice/db/sqlite/internal/bulk_sql.hpp"

#include <gtest/gtest.h>

namespace sluice::db::sqlite {
namespace {

BulkInsert into(std::string table, std::vector<std::string> columns) {
    BulkInsert made;
    made.table = std::move(table);
    made.columns = std::move(columns);
    return made;
}

TEST(BulkSql, quotes_names) {
    EXPECT_EQ(insert_sql(into("my \"t\"", {"a", "b c"})),
              "INSERT INTO \"my \"\"t\"\"\"(\"a\", \"b c\") VALUES ($1, $2)");
}

TEST(BulkSql, refuses_missing_names_and_rows_of_another_width) {
    EXPECT_FALSE(insert_sql(into("", {"a"})));
    EXPECT_FALSE(insert_sql(into("t", {})));
    EXPECT_FALSE(insert_sql(into("t", {""})));
    EXPECT_FALSE(insert_sql(into(std::string("t\0", 2), {"a"})));
    BulkInsert uneven = into("t", {"a", "b"});
    uneven.rows = {{1, 2}, {3}};
    EXPECT_EQ(insert_sql(uneven).error(), "bulk insert into t: row 1 has 1 values for 2 columns");
}

}  // namespace
}  // namespace sluice::db::sqlite
