#include "sluice/db/sqlite/internal/statement_cache.hpp"

#include <gtest/gtest.h>

namespace sluice::db::sqlite {
namespace {

Prepared with_placeholders(std::size_t count) {
    Prepared prepared;
    prepared.placeholders = count;
    return prepared;
}

TEST(StatementCache, finds_a_statement_by_its_text) {
    StatementCache cache(2);
    EXPECT_EQ(cache.find("a"), nullptr);
    cache.insert("a", with_placeholders(1));
    ASSERT_NE(cache.find("a"), nullptr);
    EXPECT_EQ(cache.find("a")->placeholders, 1U);
}

TEST(StatementCache, drops_the_least_recently_used_at_its_limit) {
    StatementCache cache(2);
    cache.insert("a", with_placeholders(1));
    cache.insert("b", with_placeholders(2));
    static_cast<void>(cache.find("a"));
    cache.insert("c", with_placeholders(3));
    EXPECT_EQ(cache.size(), 2U);
    EXPECT_NE(cache.find("a"), nullptr);
    EXPECT_EQ(cache.find("b"), nullptr);
    EXPECT_NE(cache.find("c"), nullptr);
}

TEST(StatementCache, of_one_statement_keeps_the_newest) {
    StatementCache cache(1);
    for (int i = 0; i < 10; ++i)
        cache.insert(std::to_string(i), with_placeholders(0));
    EXPECT_EQ(cache.size(), 1U);
    EXPECT_NE(cache.find("9"), nullptr);
}

}  // namespace
}  // namespace sluice::db::sqlite
