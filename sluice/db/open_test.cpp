#include "sluice/db/open.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sluice/db/error.hpp"

namespace sluice::db {
namespace {

std::string config_refusal_of(std::string_view dsn) {
    core::Metrics metrics;
    try {
        static_cast<void>(open("shop", dsn, {}, metrics));
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::config);
        return error.what();
    }
    return "none";
}

TEST(OpenByDsn, an_unknown_scheme_is_a_config_error_that_shows_nothing_of_the_string) {
    for (const char* const dsn : {"oracle://app:hunter2@h/d", "hunter2", "", "sqlite", "hunter2:x"}) {
        EXPECT_EQ(config_refusal_of(dsn),
                  "shop: config: the connection string's scheme is none of sqlite, postgres and mariadb");
    }
}

#ifdef SLUICE_POSTGRES
TEST(OpenByDsn, postgres_connects_only_when_it_is_used) {
    core::Metrics metrics;
    const auto source = open("shop", "postgres://app:hunter2@127.0.0.1:1/d", {}, metrics);
    EXPECT_EQ(source->name(), "shop");
    EXPECT_EQ(source->dialect(), Dialect::postgres);
}

TEST(OpenByDsn, a_postgres_string_that_cannot_be_read_says_what_is_wrong) {
    EXPECT_EQ(config_refusal_of("postgres://app:hunter2@/d"), "shop: config: postgres: `dsn`: the host is missing");
}
#else
TEST(OpenByDsn, a_postgres_driver_that_was_left_out_is_named_with_its_option) {
    EXPECT_THAT(config_refusal_of("postgres://app:hunter2@h/d"), ::testing::HasSubstr("SLUICE_POSTGRES=ON"));
}
#endif

#ifdef SLUICE_MARIADB
TEST(OpenByDsn, mariadb_connects_only_when_it_is_used_by_either_name) {
    core::Metrics metrics;
    for (const char* const dsn : {"mariadb://app:hunter2@127.0.0.1:1/d", "mysql://app:hunter2@127.0.0.1:1/d"}) {
        const auto source = open("shop", dsn, {}, metrics);
        EXPECT_EQ(source->name(), "shop");
        EXPECT_EQ(source->dialect(), Dialect::mariadb);
    }
}

TEST(OpenByDsn, a_mariadb_string_that_cannot_be_read_says_what_is_wrong) {
    EXPECT_EQ(config_refusal_of("mariadb://app:hunter2@/d"), "shop: config: mariadb: `dsn`: the host is missing");
}
#else
TEST(OpenByDsn, a_mariadb_driver_that_was_left_out_is_named_with_its_option) {
    EXPECT_THAT(config_refusal_of("mariadb://app:hunter2@h/d"), ::testing::HasSubstr("SLUICE_MARIADB=ON"));
}
#endif

}  // namespace
}  // namespace sluice::db
