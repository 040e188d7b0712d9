#include "sluice/db/mariadb/internal/dsn.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::db::mariadb {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(MariadbDsn, reads_every_part) {
    const auto dsn = parse_dsn(
        "mariadb://app:s3cret@db.example:3307/shop?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem&"
        "sslcert=c.pem&sslkey=k.pem&tls_version=TLSv1.3&max_statement_time=2.5");
    ASSERT_TRUE(dsn.has_value()) << dsn.error();
    EXPECT_EQ(dsn->place, "db.example:3307/shop");
    EXPECT_EQ(dsn->server.user, "app");
    EXPECT_EQ(dsn->server.password, "s3cret");
    EXPECT_EQ(dsn->server.database, "shop");
    EXPECT_EQ(dsn->port, 3307U);
    EXPECT_EQ(dsn->tls, TlsMode::verify_full);
    EXPECT_EQ(dsn->root_certificate, "/etc/ca.pem");
    EXPECT_EQ(dsn->certificate, "c.pem");
    EXPECT_EQ(dsn->key, "k.pem");
    EXPECT_EQ(dsn->tls_versions, "TLSv1.3");
    EXPECT_EQ(dsn->max_statement_time, "2.5");
}

TEST(MariadbDsn, mysql_is_the_same_and_port_and_password_may_be_missing) {
    const auto dsn = parse_dsn("mysql://app@127.0.0.1/shop");
    ASSERT_TRUE(dsn.has_value()) << dsn.error();
    EXPECT_EQ(dsn->port, 3306U);
    EXPECT_EQ(dsn->server.password, "");
    EXPECT_EQ(dsn->tls, TlsMode::disable);
}

TEST(MariadbDsn, a_host_that_is_a_path_is_a_unix_socket) {
    const auto dsn = parse_dsn("mariadb://app@%2Frun%2Fmysqld%2Fmysqld.sock/shop");
    ASSERT_TRUE(dsn.has_value()) << dsn.error();
    EXPECT_TRUE(dsn->server.is_path());
    EXPECT_EQ(dsn->server.host, "/run/mysqld/mysqld.sock");
}

TEST(MariadbDsn, what_is_missing_or_wrong_is_named) {
    const std::vector<std::pair<std::string, std::string>> wrong{
        {"postgres://a@h/d", "scheme"},
        {"mariadb://a@/d", "host is missing"},
        {"mariadb://h/d", "user is missing"},
        {"mariadb://a@h", "database is missing"},
        {"mariadb://a@h:0/d", "port"},
        {"mariadb://a@h,i/d", "one host"},
        {"mariadb://a@h/d?charset=latin1", "charset"},
        {"mariadb://a@h/d?sslmode=prefer", "sslmode"},
        {"mariadb://a@h/d?sslrootcert=x", "sslmode=require"},
        {"mariadb://a@h/d?max_statement_time=1;drop", "max_statement_time"},
        {"mariadb://a@h/d?max_statement_time=.", "max_statement_time"},
    };
    for (const auto& [text, part] : wrong) {
        const auto dsn = parse_dsn(text);
        ASSERT_FALSE(dsn.has_value()) << text;
        EXPECT_THAT(dsn.error(), HasSubstr(part)) << text;
    }
}

TEST(MariadbDsn, a_refusal_shows_no_credential) {
    for (const char* const text :
         {"mariadb://app:hunter2@/d", "mariadb://app:hunter2@h:x/d", "mariadb://app:hunter2@h/d?sslmode=hunter2",
          "mariadb://app:hun/ter2@h/d", "mariadb://app:hun?ter2@h/d", "mariadb://app:hunter2%@h/d"}) {
        const auto dsn = parse_dsn(text);
        ASSERT_FALSE(dsn.has_value()) << text;
        EXPECT_THAT(dsn.error(), Not(HasSubstr("ter2"))) << text;
        EXPECT_THAT(dsn.error(), Not(HasSubstr("app"))) << text;
    }
}

}  // namespace
}  // namespace sluice::db::mariadb
