#include "sluice/http/router.hpp"

#include <stdexcept>

#include <gtest/gtest.h>

namespace sluice::http {
namespace {

runtime::Task<Response> answer_ok(RequestContext&) {
    co_return Response::empty(204);
}

Router with(std::initializer_list<std::pair<std::string, std::string>> routes) {
    Router router;
    for (const auto& [method, pattern] : routes)
        router.add(method, pattern, answer_ok);
    return router;
}

TEST(router, a_literal_path_matches_itself_only) {
    const Router router = with({{"GET", "/articles"}});

    EXPECT_NE(router.match("GET", "/articles").route, nullptr);
    EXPECT_EQ(router.match("GET", "/articles/").route, nullptr);
    EXPECT_EQ(router.match("GET", "/article").route, nullptr);
    EXPECT_EQ(router.match("GET", "/").route, nullptr);
}

TEST(router, a_parameter_takes_one_segment_decoded) {
    const Router router = with({{"GET", "/orders/{id}/lines/{line}"}});

    const Match match = router.match("GET", "/orders/a%2Fb%20c/lines/7");

    ASSERT_NE(match.route, nullptr);
    EXPECT_EQ(match.parameters.at("id"), "a/b c");
    EXPECT_EQ(match.parameters.at("line"), "7");
    EXPECT_EQ(router.match("GET", "/orders//lines/7").route, nullptr);
    EXPECT_EQ(router.match("GET", "/orders/a/b/lines/7").route, nullptr);
}

TEST(router, a_literal_segment_wins_over_a_parameter_whatever_the_order) {
    const Router router = with({{"GET", "/orders/{id}"}, {"GET", "/orders/open"}});

    EXPECT_EQ(router.match("GET", "/orders/open").route->pattern, "/orders/open");
    EXPECT_EQ(router.match("GET", "/orders/x").route->pattern, "/orders/{id}");
}

TEST(router, the_wrong_method_names_the_right_ones) {
    const Router router = with({{"GET", "/orders"}, {"POST", "/orders"}});

    const Match match = router.match("DELETE", "/orders");

    EXPECT_EQ(match.route, nullptr);
    EXPECT_EQ(match.allow, "GET, HEAD, POST");
    EXPECT_EQ(router.match("DELETE", "/nothing").allow, "");
}

TEST(router, head_finds_what_get_finds) {
    const Router router = with({{"GET", "/orders"}, {"POST", "/only-post"}});

    EXPECT_NE(router.match("HEAD", "/orders").route, nullptr);
    EXPECT_EQ(router.match("HEAD", "/only-post").route, nullptr);
}

TEST(router, clashing_patterns_are_refused_by_name) {
    Router router = with({{"GET", "/orders/{id}"}});

    try {
        router.add("GET", "/orders/{number}", answer_ok);
        FAIL() << "a clash was accepted";
    } catch (const std::invalid_argument& e) {
        EXPECT_STREQ(e.what(), "route 'GET /orders/{number}' clashes with 'GET /orders/{id}'");
    }
    EXPECT_NO_THROW(router.add("POST", "/orders/{number}", answer_ok));
}

TEST(router, malformed_patterns_are_refused_by_name) {
    for (const std::string pattern : {"orders", "/a{b}", "/{id}/{id}", "/a?b", "/{}x"}) {
        Router router;
        EXPECT_THROW(router.add("GET", pattern, answer_ok), std::invalid_argument) << pattern;
    }
}

}  // namespace
}  // namespace sluice::http
