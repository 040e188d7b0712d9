#include "sluice/db/postgres/internal/prepared.hpp"

#include <gtest/gtest.h>

namespace sluice::db::postgres {
namespace {

using Names = std::vector<std::string>;

Prepared& added(PreparedStatements& statements, std::string_view sql, const std::vector<Oid>& types = {}) {
    Prepared& made = statements.add(sql, types);
    statements.confirm(made.name, true);
    EXPECT_TRUE(made.binary);
    return made;
}

TEST(PreparedStatements, are_found_by_text_and_types) {
    PreparedStatements statements(8);
    Prepared& made = added(statements, "select $1", {kInt8});
    EXPECT_EQ(statements.find("select $1", {kInt8}), &made);
    EXPECT_EQ(statements.find("select $1", {kUnknownType}), &made) << "a null or a text fits any type";
    EXPECT_EQ(statements.find("select $1", {kFloat8}), nullptr);
    EXPECT_EQ(statements.find("select $1", {}), nullptr);
    EXPECT_EQ(statements.find("select $2", {kInt8}), nullptr);
}

TEST(PreparedStatements, other_types_take_the_place_and_the_old_one_is_garbage_once) {
    PreparedStatements statements(8);
    const std::string old = added(statements, "select $1", {kUnknownType}).name;
    const Prepared& made = added(statements, "select $1", {kInt8});
    EXPECT_NE(made.name, old);
    EXPECT_EQ(statements.take_garbage(), Names{old});
    EXPECT_EQ(statements.take_garbage(), Names{});
    EXPECT_EQ(statements.find("select $1", {kInt8}), &made);
}

TEST(PreparedStatements, the_least_recently_used_one_leaves_at_the_limit) {
    PreparedStatements statements(2);
    const std::string first = added(statements, "a").name;
    const std::string second = added(statements, "b").name;
    EXPECT_NE(statements.find("a", {}), nullptr);
    added(statements, "c");
    EXPECT_EQ(statements.size(), 2U);
    EXPECT_EQ(statements.take_garbage(), Names{second});
    EXPECT_EQ(statements.find("b", {}), nullptr);
    EXPECT_NE(statements.find("a", {}), nullptr);
}

TEST(PreparedStatements, unconfirmed_ones_go_without_garbage) {
    PreparedStatements statements(8);
    static_cast<void>(statements.add("a", {}));
    added(statements, "b");
    statements.drop_unconfirmed();
    EXPECT_EQ(statements.size(), 1U);
    EXPECT_EQ(statements.take_garbage(), Names{});
}

TEST(PreparedStatements, a_dropped_one_is_prepared_anew_under_another_name) {
    PreparedStatements statements(8);
    const std::string old = added(statements, "a").name;
    statements.drop(old, true);
    EXPECT_EQ(statements.find("a", {}), nullptr);
    const std::string second = added(statements, "a").name;
    EXPECT_NE(second, old);
    EXPECT_EQ(statements.take_garbage(), Names{old});
    statements.drop(second, false);
    EXPECT_EQ(statements.take_garbage(), Names{}) << "the server had forgotten it";
}

}  // namespace
}  // namespace sluice::db::postgres
