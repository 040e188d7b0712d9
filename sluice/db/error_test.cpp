#include "sluice/db/error.hpp"

#include <gtest/gtest.h>

namespace sluice::db {
namespace {

ErrorDetails details() {
    ErrorDetails made;
    made.source = "shop_a";
    made.code = "SQLITE_CONSTRAINT_UNIQUE (2067)";
    made.message = "UNIQUE constraint failed: customer.email";
    made.fingerprint = "insert into customer values ($1)";
    return made;
}

TEST(DbError, text_starts_with_the_source_and_the_kind_and_ends_with_the_statement) {
    const Error error(ErrorKind::conflict, details());
    EXPECT_STREQ(error.what(),
                 "shop_a: conflict: UNIQUE constraint failed: customer.email [SQLITE_CONSTRAINT_UNIQUE (2067)] in "
                 "`insert into customer values ($1)`");
}

TEST(DbError, text_without_a_source_starts_with_the_kind) {
    ErrorDetails bare;
    bare.message = "column \"a\": missing";
    EXPECT_STREQ(Error(ErrorKind::query, bare).what(), "query: column \"a\": missing");
}

TEST(DbError, keeps_its_cause_and_details) {
    const auto cause = std::make_exception_ptr(std::runtime_error("disk"));
    const Error error(ErrorKind::outcome_unknown, details(), cause);
    EXPECT_EQ(error.kind(), ErrorKind::outcome_unknown);
    EXPECT_EQ(error.cause(), cause);
    EXPECT_EQ(error.details().source, "shop_a");
}

struct Remedy {
    ErrorKind kind;
    Retryability retryability;
};

class DbErrorRemedies : public ::testing::TestWithParam<Remedy> {};

TEST_P(DbErrorRemedies, follow_from_the_kind) {
    EXPECT_EQ(retryability(GetParam().kind), GetParam().retryability);
    EXPECT_EQ(Error(GetParam().kind, details()).retryability(), GetParam().retryability);
    EXPECT_FALSE(to_string(GetParam().kind).empty());
}

INSTANTIATE_TEST_SUITE_P(EveryKind, DbErrorRemedies,
                         ::testing::Values(Remedy{ErrorKind::config, Retryability::never},
                                           Remedy{ErrorKind::connection, Retryability::other_endpoint},
                                           Remedy{ErrorKind::pool_exhausted, Retryability::same_endpoint},
                                           Remedy{ErrorKind::timeout, Retryability::if_idempotent},
                                           Remedy{ErrorKind::serialization, Retryability::same_endpoint},
                                           Remedy{ErrorKind::conflict, Retryability::never},
                                           Remedy{ErrorKind::constraint, Retryability::never},
                                           Remedy{ErrorKind::query, Retryability::never},
                                           Remedy{ErrorKind::read_only, Retryability::other_endpoint},
                                           Remedy{ErrorKind::permission, Retryability::never},
                                           Remedy{ErrorKind::cancelled, Retryability::never},
                                           Remedy{ErrorKind::outcome_unknown, Retryability::if_idempotent},
                                           Remedy{ErrorKind::other, Retryability::never}),
                         [](const auto& given) { return std::string(to_string(given.param.kind)); });

}  // namespace
}  // namespace sluice::db
