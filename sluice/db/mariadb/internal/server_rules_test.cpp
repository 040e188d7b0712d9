#include "sluice/db/mariadb/internal/server_rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::db::mariadb {
namespace {

using ::testing::HasSubstr;
using ::testing::Optional;

TEST(MariadbServerRules, mariadb_from_10_6_on_is_taken) {
    EXPECT_EQ(server_refusal({true, 100'600, "10.6.0", false}), std::nullopt);
    EXPECT_EQ(server_refusal({true, 110'402, "11.4.2", false}), std::nullopt);
}

TEST(MariadbServerRules, an_older_server_mysql_and_galera_are_refused_with_the_reason) {
    EXPECT_THAT(server_refusal({true, 100'523, "10.5.23", false}), Optional(HasSubstr("is MariaDB 10.5.23")));
    EXPECT_THAT(server_refusal({false, 80'036, "8.0.36", false}), Optional(HasSubstr("MySQL is not supported")));
    EXPECT_THAT(server_refusal({true, 101'119, "10.11.19", true}), Optional(HasSubstr("wsrep_on")));
}

}  // namespace
}  // namespace sluice::db::mariadb
