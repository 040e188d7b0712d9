#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "sluice/core/json/node.hpp"

namespace sluice::core::json {
namespace {

using namespace std::string_view_literals;

struct Case {
    std::string_view text;
    bool valid;
};

// In the manner of JSONTestSuite: y_ and n_ cases, and those it leaves open decided.
const std::vector<Case> kCases = {
    // accepted
    {"null"sv, true},
    {"true"sv, true},
    {"false"sv, true},
    {"0"sv, true},
    {"-0"sv, true},
    {"-1"sv, true},
    {"123456789012345678901234567890"sv, true},
    {"1.5"sv, true},
    {"1e2"sv, true},
    {"1E+2"sv, true},
    {"1e-2"sv, true},
    {"0.1e9"sv, true},
    {"1e400"sv, true},
    {"\"\""sv, true},
    {"\"a\""sv, true},
    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""sv, true},
    {"\"\\u0041\\u00e9\\u20ac\""sv, true},
    {"\"\\u0000\""sv, true},
    {"\"\\ud834\\udd1e\""sv, true},
    {"\"\xC3\xA9\xE2\x82\xAC\xF0\x9D\x84\x9E\""sv, true},
    {"\"\x7f\""sv, true},
    {"\"\xEF\xBF\xBF\""sv, true},
    {"[]"sv, true},
    {"[ ]"sv, true},
    {"[1,2]"sv, true},
    {"[[[]]]"sv, true},
    {"{}"sv, true},
    {"{\"a\":1}"sv, true},
    {"{\"\":0}"sv, true},
    {"{\"a\":{\"a\":{\"a\":[]}}}"sv, true},
    {" \t\r\n1 \t\r\n"sv, true},
    {"[1 , 2]\n"sv, true},
    // refused
    {""sv, false},
    {" "sv, false},
    {"\0"sv, false},
    {"\xEF\xBB\xBF"
     "1"sv,
     false},
    {"nul"sv, false},
    {"NULL"sv, false},
    {"True"sv, false},
    {"truee"sv, false},
    {"NaN"sv, false},
    {"Infinity"sv, false},
    {"-Infinity"sv, false},
    {"+1"sv, false},
    {"01"sv, false},
    {"-01"sv, false},
    {"-"sv, false},
    {"1."sv, false},
    {".5"sv, false},
    {"1e"sv, false},
    {"1e+"sv, false},
    {"1.e2"sv, false},
    {"0x1"sv, false},
    {"1_000"sv, false},
    {"1 2"sv, false},
    {"--1"sv, false},
    {"\""sv, false},
    {"\"a"sv, false},
    {"'a'"sv, false},
    {"a"sv, false},
    {"\"\\x41\""sv, false},
    {"\"\\u12\""sv, false},
    {"\"\\u00zz\""sv, false},
    {"\"\\U0041\""sv, false},
    {"\"\\ud834\""sv, false},
    {"\"\\ud834\\u0041\""sv, false},
    {"\"\\udd1e\""sv, false},
    {"\"\\udd1e\\ud834\""sv, false},
    {"\"\n\""sv, false},
    {"\"\t\""sv, false},
    {"\"\0\""sv, false},
    {"\"\x1f\""sv, false},
    {"\"\x80\""sv, false},
    {"\"\xC3\""sv, false},
    {"\"\xC0\x80\""sv, false},
    {"\"\xED\xA0\x80\""sv, false},
    {"\"\xF4\x90\x80\x80\""sv, false},
    {"\"\xFF\""sv, false},
    {"["sv, false},
    {"]"sv, false},
    {"[1"sv, false},
    {"[1,"sv, false},
    {"[1,]"sv, false},
    {"[,1]"sv, false},
    {"[1,,2]"sv, false},
    {"[1 2]"sv, false},
    {"[1]]"sv, false},
    {"[1}"sv, false},
    {"{"sv, false},
    {"{\"a\"}"sv, false},
    {"{\"a\":}"sv, false},
    {"{\"a\":1,}"sv, false},
    {"{,}"sv, false},
    {"{a:1}"sv, false},
    {"{1:1}"sv, false},
    {"{\"a\" 1}"sv, false},
    {"{\"a\":1 \"b\":2}"sv, false},
    {"{\"a\":1,\"a\":1}"sv, false},
    {"{\"a\":1,\"\\u0061\":2}"sv, false},
    {"{}{}"sv, false},
    {"{}#"sv, false},
    {"// a comment\n1"sv, false},
    {"/* a comment */1"sv, false},
    {"[1]\f"sv, false},
    {"1\xC2\xA0"sv, false},
    {"null\0"sv, false},
};

TEST(JsonParse, accepts_and_refuses_as_the_table_says) {
    for (const Case& c : kCases) {
        const auto document = parse(c.text);
        EXPECT_EQ(document.has_value(), c.valid)
            << c.text << " " << (document ? "was accepted" : to_string(document.error()));
    }
    EXPECT_GE(kCases.size(), 60U);
}

TEST(JsonParse, what_it_accepts_reads_back_as_the_same_value) {
    for (const Case& c : kCases) {
        if (!c.valid) continue;
        const auto document = parse(c.text);
        ASSERT_TRUE(document.has_value()) << c.text;
        const auto again = parse(document->root().text());
        ASSERT_TRUE(again.has_value()) << document->root().text();
        EXPECT_TRUE(document->root().equals(again->root())) << c.text;
    }
}

std::string refusal(std::string_view text, const Limits& limits = {}) {
    const auto document = parse(text, limits);
    return document ? "accepted" : to_string(document.error());
}

TEST(JsonParse, names_the_path_of_a_duplicate) {
    EXPECT_EQ(refusal(R"({"a":[{"x":1},{"b":1,"c":2,"b":3}]})"), "$.a[1].b: the name appears twice");
    EXPECT_EQ(refusal(R"({"a":1,"a":2})"), "$.a: the name appears twice");
    EXPECT_EQ(refusal(R"([{"":1,"":2}])"), "$[0][\"\"]: the name appears twice");
}

TEST(JsonParse, finds_a_duplicate_among_many_names) {
    std::string text = "{";
    for (int i = 0; i < 200; ++i)
        text += "\"n" + std::to_string(i) + "\":0,";
    EXPECT_EQ(refusal(text + "\"n137\":1}"), "$.n137: the name appears twice");
    EXPECT_EQ(refusal(text + "\"other\":1}"), "accepted");
}

TEST(JsonParse, names_line_column_and_path_of_a_syntax_error) {
    const std::string text = refusal("{\n  \"a\": [1, x]\n}");
    EXPECT_NE(text.find("line 2 column 12"), std::string::npos) << text;
    EXPECT_EQ(text.find("$.a[1]: invalid JSON"), 0U) << text;
}

TEST(JsonParse, bounds_depth_and_size) {
    const std::string deep(64, '[');
    const std::string closed(64, ']');
    EXPECT_EQ(refusal(deep + closed), "accepted");
    EXPECT_NE(refusal("[" + deep + closed + "]").find("nested too deep"), std::string::npos);
    EXPECT_NE(refusal(std::string(100'000, '[')).find("nested too deep"), std::string::npos);
    EXPECT_EQ(refusal("[1,2]", Limits{.bytes = 5}), "accepted");
    EXPECT_EQ(refusal("[1,2] ", Limits{.bytes = 5}), "$: 6 bytes, more than 5 allowed");
}

TEST(JsonParse, refuses_unsafe_integers_when_asked_and_names_them) {
    const Limits safe{.safe_integers = true};
    EXPECT_EQ(refusal("[9007199254740991,-9007199254740991]", safe), "accepted");
    EXPECT_EQ(refusal("[9007199254740992]"), "accepted");
    EXPECT_EQ(refusal(R"({"a":[0,9007199254740992]})", safe),
              "$.a[1]: 9007199254740992 is beyond 2^53-1, the largest integer that JavaScript holds");
    EXPECT_NE(refusal("-9007199254740992", safe), "accepted");
    EXPECT_NE(refusal("123456789012345678901234567890", safe), "accepted");
}

}  // namespace
}  // namespace sluice::core::json
