#include "sluice/db/postgres/internal/dsn.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::db::postgres {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

TEST(PostgresDsn, reads_every_part) {
    const auto dsn =
        parse_dsn("postgres://app:s3cret@db.example:6432/shop?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem");
    ASSERT_TRUE(dsn.has_value()) << dsn.error();
    EXPECT_EQ(dsn->place, "db.example:6432/shop");
    EXPECT_THAT(dsn->parameters, ElementsAre(Pair("host", "db.example"), Pair("port", "6432"), Pair("user", "app"),
                                             Pair("dbname", "shop"), Pair("password", "s3cret"),
                                             Pair("sslmode", "verify-full"), Pair("sslrootcert", "/etc/ca.pem")));
}

TEST(PostgresDsn, port_and_password_may_be_missing) {
    const auto dsn = parse_dsn("postgresql://app@127.0.0.1/shop");
    ASSERT_TRUE(dsn.has_value()) << dsn.error();
    EXPECT_EQ(dsn->port, "5432");
    EXPECT_THAT(dsn->parameters, Not(Contains(Pair("password", ::testing::_))));
}

TEST(PostgresDsn, reads_ipv6_addresses_and_socket_folders) {
    EXPECT_EQ(parse_dsn("postgres://a@[::1]:99/d")->host, "::1");
    EXPECT_EQ(parse_dsn("postgres://a@[::1]:99/d")->port, "99");
    const auto folder = parse_dsn("postgres://a@%2Frun%2Fpostgresql/d");
    ASSERT_TRUE(folder.has_value());
    EXPECT_EQ(folder->host, "/run/postgresql");
    EXPECT_TRUE(folder->is_socket_folder());
}

TEST(PostgresDsn, parts_are_percent_decoded) {
    const auto dsn = parse_dsn("postgres://a%40b:p%2F%3F%25@h/d%20e");
    ASSERT_TRUE(dsn.has_value());
    EXPECT_THAT(dsn->parameters, Contains(Pair("user", "a@b")));
    EXPECT_THAT(dsn->parameters, Contains(Pair("password", "p/?%")));
    EXPECT_THAT(dsn->parameters, Contains(Pair("dbname", "d e")));
}

TEST(PostgresDsn, what_is_missing_or_wrong_is_named) {
    const std::vector<std::pair<std::string, std::string>> wrong{
        {"mysql://a@h/d", "scheme"},
        {"postgres://h/d", "user is missing"},
        {"postgres://a@/d", "host is missing"},
        {"postgres://a@h", "database is missing"},
        {"postgres://a@h:0/d", "port"},
        {"postgres://a@h:65536/d", "port"},
        {"postgres://a@h:5x/d", "port"},
        {"postgres://a@h1,h2/d", "one host"},
        {"postgres://a@h/d?client_encoding=LATIN1", "client_encoding"},
        {"postgres://a@h/d?sslmode", "sslmode"},
        {"postgres://a@h/d?sslmode=%0", "sslmode"},
        {"postgres://a%00@h/d", "percent-encoded"},
        {"postgres://a%zz@h/d", "percent-encoded"},
        {"postgres://a@[::1/d", "user:password@host"},
        {"postgres://a@[::1]x/d", "user:password@host"},
    };
    for (const auto& [text, reason] : wrong) {
        const auto dsn = parse_dsn(text);
        ASSERT_FALSE(dsn.has_value()) << text;
        EXPECT_THAT(dsn.error(), HasSubstr(reason)) << text;
    }
}

TEST(PostgresDsn, no_refusal_and_no_description_shows_a_password) {
    for (const char* const mark : {"?", "/", "@", "%", "?x=", ":", "&", "]", "["}) {
        for (const std::string& password :
             {std::string(mark) + "hunter2", "hunter2" + std::string(mark), "hunter" + std::string(mark) + "2"}) {
            const auto dsn = parse_dsn("postgres://app:" + password + "@h:1/d?nonsense=1");
            ASSERT_FALSE(dsn.has_value());
            EXPECT_THAT(dsn.error(), Not(HasSubstr("hunter"))) << password;
            const auto usable = parse_dsn("postgres://app:" + password + "@h:1/d");
            if (usable) {
                EXPECT_EQ(usable->place, "h:1/d");
            }
        }
    }
}

}  // namespace
}  // namespace sluice::db::postgres
