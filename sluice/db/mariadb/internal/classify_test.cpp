#include "sluice/db/mariadb/internal/classify.hpp"

#include <gtest/gtest.h>

namespace sluice::db::mariadb {
namespace {

struct Expected {
    unsigned code;
    const char* sqlstate;
    ErrorKind kind;
};

TEST(MariadbClassify, every_listed_number_has_its_kind) {
    const std::vector<Expected> expected{
        {1020, "HY000", ErrorKind::serialization},  {1022, "23000", ErrorKind::conflict},
        {1040, "08004", ErrorKind::pool_exhausted}, {1044, "42000", ErrorKind::permission},
        {1045, "28000", ErrorKind::permission},     {1048, "23000", ErrorKind::constraint},
        {1049, "42000", ErrorKind::config},         {1053, "08S01", ErrorKind::connection},
        {1054, "42S22", ErrorKind::query},          {1062, "23000", ErrorKind::conflict},
        {1064, "42000", ErrorKind::query},          {1142, "42000", ErrorKind::permission},
        {1146, "42S02", ErrorKind::query},          {1153, "08S01", ErrorKind::query},
        {1203, "42000", ErrorKind::pool_exhausted}, {1205, "HY000", ErrorKind::serialization},
        {1213, "40001", ErrorKind::serialization},  {1264, "22003", ErrorKind::query},
        {1305, "42000", ErrorKind::query},          {1317, "70100", ErrorKind::timeout},
        {1364, "HY000", ErrorKind::constraint},     {1366, "22007", ErrorKind::query},
        {1406, "22001", ErrorKind::query},          {1412, "HY000", ErrorKind::serialization},
        {1451, "23000", ErrorKind::constraint},     {1452, "23000", ErrorKind::constraint},
        {1586, "23000", ErrorKind::conflict},       {1644, "45000", ErrorKind::constraint},
        {1698, "28000", ErrorKind::permission},     {1792, "25006", ErrorKind::read_only},
        {1927, "70100", ErrorKind::connection},     {1969, "70100", ErrorKind::timeout},
        {2002, "HY000", ErrorKind::connection},     {2006, "HY000", ErrorKind::connection},
        {2013, "HY000", ErrorKind::connection},     {2026, "HY000", ErrorKind::connection},
        {2057, "HY000", ErrorKind::query},          {2059, "HY000", ErrorKind::config},
        {4025, "23000", ErrorKind::constraint},     {4151, "28000", ErrorKind::permission},
    };
    for (const Expected& each : expected) {
        EXPECT_EQ(classify({each.code, each.sqlstate, ""}), each.kind)
            << each.code << " is " << to_string(classify({each.code, each.sqlstate, ""}));
    }
}

TEST(MariadbClassify, what_is_not_listed_goes_by_its_class_and_else_is_other) {
    EXPECT_EQ(classify({9'999, "42S77", ""}), ErrorKind::query);
    EXPECT_EQ(classify({9'999, "40001", ""}), ErrorKind::serialization);
    EXPECT_EQ(classify({9'999, "23000", ""}), ErrorKind::constraint);
    EXPECT_EQ(classify({9'999, "HY000", ""}), ErrorKind::other);
    EXPECT_EQ(classify({1'021, "HY000", "Disk full"}), ErrorKind::other);
    EXPECT_EQ(classify({2'030, "HY000", ""}), ErrorKind::other);
    EXPECT_EQ(classify({0, "", ""}), ErrorKind::other);
}

TEST(MariadbClassify, an_option_that_prevents_a_statement_is_read_only_or_a_permission_by_its_text) {
    const std::string_view text = "The MariaDB server is running with the --read-only option so it cannot execute this";
    EXPECT_EQ(classify({1290, "HY000", text}), ErrorKind::read_only);
    EXPECT_EQ(classify({1290, "HY000", "… with the --secure-file-priv option …"}), ErrorKind::permission);
}

TEST(MariadbClassify, only_some_errors_end_the_connection) {
    for (unsigned code : {1053U, 1153U, 1927U, 2006U, 2013U, 2026U, 2055U})
        EXPECT_TRUE(ends_connection(code)) << code;
    for (unsigned code : {0U, 1062U, 1205U, 1213U, 1317U, 1969U, 2057U})
        EXPECT_FALSE(ends_connection(code)) << code;
}

}  // namespace
}  // namespace sluice::db::mariadb
