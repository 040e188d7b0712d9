#include "sluice/db/mariadb/internal/failure.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::db::mariadb {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(MariadbFailure, what_a_message_quotes_from_values_is_cut_out) {
    const std::vector<std::pair<Said, std::string>> messages{
        {{1062, "23000", "Duplicate entry 'it's 4711' for key 'PRIMARY'"}, "Duplicate entry ? for key 'PRIMARY'"},
        {{1062, "23000", "Duplicate entry 'a' for key 'b' for key 'name'"}, "Duplicate entry ? for key 'name'"},
        {{1366, "22007", "Incorrect integer value: 'x'y' for column `d`.`t`.`n` at row 1"},
         "Incorrect integer value: ? for column `d`.`t`.`n` at row 1"},
        {{1064, "42000", "You have an error in your SQL syntax; check … near 'selct 'secret'' at line 1"},
         "You have an error in your SQL syntax; check … near ? at line 1"},
        {{1366, "22007", "Incorrect value: 'cut of"}, "Incorrect value: "},
    };
    for (const auto& [said, expected] : messages)
        EXPECT_EQ(without_values(said), expected);
}

TEST(MariadbFailure, names_stay) {
    for (const Said& said : {Said{1048, "23000", "Column 'age' cannot be null"},
                             Said{1364, "HY000", "Field 'item' doesn't have a default value"},
                             Said{1146, "42S02", "Table 'shop.nowhere' doesn't exist"}}) {
        EXPECT_EQ(without_values(said), said.message);
    }
}

TEST(MariadbFailure, an_error_of_a_statement_has_its_number_and_the_statement_without_values) {
    const Error error = error_of({1062, "23000", "Duplicate entry '4711' for key 'PRIMARY'"}, "shop",
                                 "insert into t values ('4711', ?)");
    EXPECT_EQ(error.kind(), ErrorKind::conflict);
    EXPECT_EQ(error.details().code, "1062");
    EXPECT_THAT(error.what(), Not(HasSubstr("4711")));
}

TEST(MariadbFailure, a_refused_connection_shows_no_user) {
    const Error error =
        connect_error({1045, "28000", "Access denied for user 'app'@'h' (using password: YES)"}, "shop", "h:3306/d");
    EXPECT_EQ(error.kind(), ErrorKind::permission);
    EXPECT_THAT(error.what(), Not(HasSubstr("app")));
    EXPECT_THAT(error.what(), HasSubstr("cannot connect to h:3306/d"));
}

TEST(MariadbFailure, a_loss_without_a_word_says_that_no_answer_came) {
    const Error error = lost_error({}, "shop");
    EXPECT_EQ(error.kind(), ErrorKind::connection);
    EXPECT_THAT(error.what(), HasSubstr("no answer in time"));
}

}  // namespace
}  // namespace sluice::db::mariadb
