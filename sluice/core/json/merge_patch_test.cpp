#include "sluice/core/json/merge_patch.hpp"

#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <boost/describe.hpp>
#include "sluice/core/json/node.hpp"

namespace sluice::core::json {
namespace merge_patch_test {

struct Article {
    std::int64_t stock = 0;
    std::optional<std::string> note;
    std::map<std::string, std::int64_t> by_shop;
    Raw extra;
};
BOOST_DESCRIBE_STRUCT(Article, (), (stock, note, by_shop, extra))

TEST(JsonMergePatch, holds_only_what_changed) {
    Article before{5, "old", {{"a", 1}, {"b", 2}}, {}};
    Article after{4, std::nullopt, {{"a", 1}, {"c", 3}}, {}};
    EXPECT_EQ(merge_patch(before, after), R"({"stock":4,"by_shop":{"c":3,"b":null},"note":null})");
    EXPECT_EQ(merge_patch(before, before), "{}");
}

struct Example {
    std::string_view original, patch, result;
};

// RFC 7396, appendix A.
const std::vector<Example> kExamples = {
    {R"({"a":"b"})", R"({"a":"c"})", R"({"a":"c"})"},
    {R"({"a":"b"})", R"({"b":"c"})", R"({"a":"b","b":"c"})"},
    {R"({"a":"b"})", R"({"a":null})", R"({})"},
    {R"({"a":"b","b":"c"})", R"({"a":null})", R"({"b":"c"})"},
    {R"({"a":["b"]})", R"({"a":"c"})", R"({"a":"c"})"},
    {R"({"a":"c"})", R"({"a":["b"]})", R"({"a":["b"]})"},
    {R"({"a":{"b":"c"}})", R"({"a":{"b":"d","c":null}})", R"({"a":{"b":"d"}})"},
    {R"({"a":[{"b":"c"}]})", R"({"a":[1]})", R"({"a":[1]})"},
    {R"(["a","b"])", R"(["c","d"])", R"(["c","d"])"},
    {R"({"a":"b"})", R"(["c"])", R"(["c"])"},
    {R"({"a":"foo"})", R"(null)", R"(null)"},
    {R"({"a":"foo"})", R"("bar")", R"("bar")"},
    {R"({"e":null})", R"({"a":1})", R"({"e":null,"a":1})"},
    {R"([1,2])", R"({"a":"b","c":null})", R"({"a":"b"})"},
    {R"({})", R"({"a":{"bb":{"ccc":null}}})", R"({"a":{"bb":{}}})"},
};

TEST(JsonMergePatch, applies_the_examples_of_the_rfc) {
    for (const Example& example : kExamples)
        EXPECT_EQ(apply_merge_patch(example.original, example.patch).value(), example.result) << example.patch;
}

TEST(JsonMergePatch, what_it_makes_leads_from_each_example_to_each_other) {
    for (const Example& from : kExamples) {
        for (const Example& to : kExamples) {
            const auto patch = merge_patch_text(from.original, to.original);
            if (!patch) {
                EXPECT_NE(to.original.find("null"), std::string_view::npos) << to_string(patch.error());
                continue;
            }
            const auto result = parse(apply_merge_patch(from.original, *patch).value());
            EXPECT_TRUE(result->root().equals(parse(to.original)->root())) << *patch;
        }
    }
}

TEST(JsonMergePatch, refuses_to_set_a_null_and_names_it) {
    const auto patch = merge_patch_text(R"({"a":{}})", R"({"a":{"b":[{"c":null}],"d":{"e":null}}})");
    ASSERT_FALSE(patch.has_value());
    EXPECT_EQ(to_string(patch.error()), "$.a.d.e: a merge patch cannot set a member to null");
    EXPECT_EQ(merge_patch_text(R"({"a":null,"b":1})", R"({"a":null,"b":2})").value(), R"({"b":2})");
    Article before;
    Article after;
    after.extra = Raw{R"({"x":null})"};
    EXPECT_THROW((void)merge_patch(before, after), EncodeError);
}

TEST(JsonMergePatch, reports_text_that_is_no_json) {
    EXPECT_FALSE(merge_patch_text("{", "{}").has_value());
    EXPECT_FALSE(merge_patch_text("{}", "{").has_value());
    EXPECT_FALSE(apply_merge_patch("{}", "{\"a\":1,\"a\":2}").has_value());
}

}  // namespace merge_patch_test
}  // namespace sluice::core::json
