#include "sluice/db/mariadb/internal/placeholders.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::db::mariadb {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(MariadbPlaceholders, become_question_marks_in_the_order_of_the_text) {
    const auto sql = translate_placeholders("select $2, $1 from t where a = $2 and b = $3");
    ASSERT_TRUE(sql.has_value()) << sql.error();
    EXPECT_EQ(sql->text, "select ?, ? from t where a = ? and b = ?");
    EXPECT_THAT(sql->order, ElementsAre(1, 0, 1, 2));
    EXPECT_EQ(sql->placeholders, 3U);
}

TEST(MariadbPlaceholders, strings_comments_and_names_are_left_alone) {
    for (const char* const text : {"select '$1', '? \\', 'it''s ?'", "select 1 -- $1 ?\n, 2", "select /* $1 ? */ 1",
                                   "select `$1`, \"?\"", "select @a, @@version, a$1", "select x'00', 1e5, 0xff"}) {
        const auto sql = translate_placeholders(text);
        ASSERT_TRUE(sql.has_value()) << sql.error();
        EXPECT_EQ(sql->text, text);
        EXPECT_EQ(sql->placeholders, 0U);
    }
}

TEST(MariadbPlaceholders, other_styles_and_comments_that_are_misread_are_refused) {
    const std::vector<std::pair<std::string, std::string>> wrong{
        {"select ?", "write $1"}, {"select :a", "write $1"}, {"select $a", "write $1"},
        {"select $0", "$0"},      {"select $250001", "250"}, {"select 1 # it's", "comment"}};
    for (const auto& [text, part] : wrong) {
        const auto sql = translate_placeholders(text);
        ASSERT_FALSE(sql.has_value()) << text;
        EXPECT_THAT(sql.error(), HasSubstr(part)) << text;
    }
}

}  // namespace
}  // namespace sluice::db::mariadb
