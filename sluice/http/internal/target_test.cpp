#include "sluice/http/internal/target.hpp"

#include <gtest/gtest.h>

namespace sluice::http::internal {
namespace {

TEST(target, percent_decoding_leaves_what_is_no_escape) {
    EXPECT_EQ(percent_decode("a%20b%2Fc"), "a b/c");
    EXPECT_EQ(percent_decode("%zz%4"), "%zz%4");
    EXPECT_EQ(percent_decode("%41"), "A");
    EXPECT_EQ(percent_decode(""), "");
}

TEST(target, an_absolute_form_is_the_origin_form_of_its_host) {
    EXPECT_EQ(origin_form("GET", "http://shop.example:80/a?b=c"), "/a?b=c");
    EXPECT_EQ(origin_form("GET", "HTTP://shop.example"), "/");
    EXPECT_EQ(origin_form("GET", "http://shop.example?b"), "/?b");
    EXPECT_EQ(origin_form("OPTIONS", "http://shop.example"), "*");
    EXPECT_EQ(origin_form("OPTIONS", "*"), "*");
    EXPECT_EQ(origin_form("GET", "/a://b"), "/a://b");
    EXPECT_EQ(authority_of("http://shop.example:80/a?b=c"), "shop.example:80");
    EXPECT_EQ(authority_of("/a"), "");
    EXPECT_EQ(authority_of("*"), "");
}

TEST(target, the_path_ends_at_the_question_mark) {
    EXPECT_EQ(path_of("/a/b?c=/d"), "/a/b");
    EXPECT_EQ(path_of("/a"), "/a");
}

TEST(target, queries_are_decoded_and_the_last_of_a_name_wins) {
    const auto query = query_of("/?a=1&b=x+y%21&a=2&flag&&=nameless");

    EXPECT_EQ(query.at("a"), "2");
    EXPECT_EQ(query.at("b"), "x y!");
    EXPECT_EQ(query.at("flag"), "");
    EXPECT_EQ(query.at(""), "nameless");
    EXPECT_TRUE(query_of("/no/query").empty());
}

}  // namespace
}  // namespace sluice::http::internal
