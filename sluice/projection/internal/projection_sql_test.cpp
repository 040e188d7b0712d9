#include "sluice/projection/internal/projection_sql.hpp"

#include <gtest/gtest.h>

namespace sluice::projection::internal {
namespace {

/// docs/sqlite.md: longer statements are compiled anew each time, which cost a rebuild two thirds of its time.
constexpr std::size_t kLongestCachedSql = 16 * 1024;

TEST(ProjectionSql, statements_over_many_rows_are_short_enough_for_the_statement_cache) {
    const Texts& sqlite = texts(db::Dialect::sqlite);
    for (const RowTexts* of_sizes : {&sqlite.insert, &sqlite.update, &sqlite.put, &sqlite.insert_delta})
        for (const std::string& text : *of_sizes)
            EXPECT_LE(text.size(), kLongestCachedSql) << text.substr(0, 60);
}

TEST(ProjectionSql, statements_over_many_rows_number_every_value_once) {
    const Texts& sqlite = texts(db::Dialect::sqlite);
    for (std::size_t i = 0; i < kRowCounts.size(); ++i) {
        const std::string last = "$" + std::to_string(2 + kRowCounts[i] * 6);
        EXPECT_TRUE(sqlite.put[i].contains(last + ")")) << kRowCounts[i];
        EXPECT_FALSE(sqlite.put[i].contains("$" + std::to_string(3 + kRowCounts[i] * 6))) << kRowCounts[i];
    }
}

}  // namespace
}  // namespace sluice::projection::internal
