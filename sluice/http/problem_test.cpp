#include "sluice/http/problem.hpp"

#include <vector>

#include <gtest/gtest.h>

#include "sluice/core/json/node.hpp"
#include "sluice/db/error.hpp"

namespace sluice::http {
namespace {

TEST(Problem, has_one_shape_that_names_the_request) {
    const Response response = problem(404, "there is nothing at /x\xFF", "r-1");
    EXPECT_EQ(response.status, 404U);
    EXPECT_EQ(response.headers.find("Content-Type"), "application/problem+json");
    EXPECT_EQ(response.body,
              "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,"
              "\"detail\":\"there is nothing at /x\xEF\xBF\xBD\",\"request_id\":\"r-1\"}");
}

struct KindCase {
    db::ErrorKind kind;
    unsigned status;
    bool retry_after;
};

TEST(Problem, answers_every_kind_of_database_error) {
    const RequestContext context;
    using enum db::ErrorKind;
    const std::vector<KindCase> cases = {
        {config, 500, false},     {connection, 503, true},    {pool_exhausted, 503, true},
        {timeout, 504, false},    {serialization, 503, true}, {conflict, 409, false},
        {constraint, 422, false}, {query, 500, false},        {read_only, 503, true},
        {permission, 500, false}, {cancelled, 500, false},    {outcome_unknown, 500, false},
        {other, 500, false},
    };
    for (const KindCase& c : cases) {
        db::ErrorDetails details;
        details.message = "secret inside";
        const Response response = problem_of(context, std::make_exception_ptr(db::Error(c.kind, details)));
        EXPECT_EQ(response.status, c.status) << db::to_string(c.kind);
        EXPECT_EQ(response.headers.find("Retry-After").has_value(), c.retry_after) << db::to_string(c.kind);
        EXPECT_EQ(response.body.find("secret inside"), std::string::npos) << "the client reads the driver's words";
    }
}

TEST(Problem, an_unknown_outcome_says_so) {
    const RequestContext context;
    const Response response =
        problem_of(context, std::make_exception_ptr(db::Error(db::ErrorKind::outcome_unknown, {})));
    EXPECT_NE(response.body.find("may or may not be stored"), std::string::npos);
}

TEST(Problem, any_other_exception_is_500_without_its_text) {
    RequestContext context;
    context.id = "r-4";
    const Response response = problem_of(context, std::make_exception_ptr(std::runtime_error("hush")));
    EXPECT_EQ(response.status, 500U);
    EXPECT_EQ(response.body.find("hush"), std::string::npos);
    EXPECT_NE(response.body.find("r-4"), std::string::npos);
}

}  // namespace
}  // namespace sluice::http
