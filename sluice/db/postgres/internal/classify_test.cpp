#include "sluice/db/postgres/internal/classify.hpp"

#include <gtest/gtest.h>

namespace sluice::db::postgres {
namespace {

TEST(PostgresClassify, every_listed_code_has_its_kind) {
    const std::vector<std::pair<std::string, ErrorKind>> expected{
        {"08006", ErrorKind::connection},
        {"08P01", ErrorKind::query},
        {"22P02", ErrorKind::query},
        {"23502", ErrorKind::constraint},
        {"23503", ErrorKind::constraint},
        {"23505", ErrorKind::conflict},
        {"23514", ErrorKind::constraint},
        {"23P01", ErrorKind::conflict},
        {"25006", ErrorKind::read_only},
        {"25P02", ErrorKind::query},
        {"25P03", ErrorKind::timeout},
        {"28P01", ErrorKind::permission},
        {"3D000", ErrorKind::config},
        {"40001", ErrorKind::serialization},
        {"40P01", ErrorKind::serialization},
        {"40002", ErrorKind::constraint},
        {"40003", ErrorKind::outcome_unknown},
        {"42601", ErrorKind::query},
        {"42P01", ErrorKind::query},
        {"42501", ErrorKind::permission},
        {"53300", ErrorKind::pool_exhausted},
        {"55P03", ErrorKind::serialization},
        {"57014", ErrorKind::timeout},
        {"57P01", ErrorKind::connection},
        {"57P02", ErrorKind::connection},
        {"57P03", ErrorKind::connection},
        {"P0001", ErrorKind::constraint},
        {"P0002", ErrorKind::query},
        {"53100", ErrorKind::other},
        {"XX000", ErrorKind::other},
        {"58030", ErrorKind::other},
        {"", ErrorKind::other},
        {"4000", ErrorKind::other},
    };
    for (const auto& [code, kind] : expected)
        EXPECT_EQ(classify(code), kind) << code;
}

TEST(PostgresClassify, a_shutdown_ends_the_connection_and_a_statement_s_error_does_not) {
    EXPECT_TRUE(ends_connection("57P01"));
    EXPECT_TRUE(ends_connection("25P03"));
    EXPECT_FALSE(ends_connection("08P01"));
    EXPECT_FALSE(ends_connection("57014"));
    EXPECT_FALSE(ends_connection("23505"));
}

}  // namespace
}  // namespace sluice::db::postgres
