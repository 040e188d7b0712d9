#include "sluice/core/json/node.hpp"

#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace sluice::core::json {
namespace {

Document parsed(std::string_view text) {
    auto document = parse(text);
    EXPECT_TRUE(document.has_value()) << text;
    return std::move(*document);
}

TEST(JsonNode, walks_members_in_the_order_of_the_text) {
    const Document document = parsed(R"({"b":1,"a":[true,null],"c":{"x":{}}})");
    std::vector<std::string> names;
    for (const Node member : document.root())
        names.emplace_back(member.name());
    EXPECT_EQ(names, (std::vector<std::string>{"b", "a", "c"}));
    EXPECT_EQ(document.root().size(), 3U);
    EXPECT_EQ(document.root().find("a")->size(), 2U);
}

TEST(JsonNode, finds_members_and_answers_nothing_for_others) {
    const Document document = parsed(R"({"op":"sub","id":7})");
    EXPECT_EQ(document.root().find("op")->string(), "sub");
    EXPECT_FALSE(document.root().find("o").has_value());
    EXPECT_FALSE(document.root().find("op")->find("op").has_value());
    EXPECT_TRUE(document.root().find("op")->begin() == document.root().find("op")->end());
}

TEST(JsonNode, answers_only_values_of_the_kind_asked_for) {
    const Document document = parsed(R"([1,1.0,"1",true,null,-1,18446744073709551615,1e400])");
    std::vector<Node> nodes;
    for (const Node node : document.root())
        nodes.push_back(node);
    EXPECT_EQ(nodes[0].integer(), 1);
    EXPECT_EQ(nodes[0].number(), 1.0);
    EXPECT_EQ(nodes[1].integer(), std::nullopt);
    EXPECT_EQ(nodes[1].number(), 1.0);
    EXPECT_EQ(nodes[2].integer(), std::nullopt);
    EXPECT_EQ(nodes[2].number(), std::nullopt);
    EXPECT_EQ(nodes[3].boolean(), true);
    EXPECT_EQ(nodes[3].string(), std::nullopt);
    EXPECT_TRUE(nodes[4].is_null());
    EXPECT_EQ(nodes[5].unsigned_integer(), std::nullopt);
    EXPECT_EQ(nodes[6].unsigned_integer(), std::numeric_limits<std::uint64_t>::max());
    EXPECT_EQ(nodes[6].integer(), std::nullopt);
    EXPECT_EQ(nodes[7].number(), std::nullopt);
}

TEST(JsonNode, compares_objects_regardless_of_order_and_arrays_in_order) {
    const Document left = parsed(R"({"a":1,"b":[1,2]})");
    EXPECT_TRUE(left.root().equals(parsed(R"({"b":[1,2],"a":1})").root()));
    EXPECT_FALSE(left.root().equals(parsed(R"({"b":[2,1],"a":1})").root()));
    EXPECT_FALSE(left.root().equals(parsed(R"({"b":[1,2],"c":1})").root()));
    EXPECT_FALSE(left.root().equals(parsed(R"({"a":1})").root()));
}

TEST(JsonNode, compacts_without_touching_digits) {
    EXPECT_EQ(compact(" { \"a\" : [ 1.10 , 1E5 , \"\\u00e9\\/\" ] } ").value(), "{\"a\":[1.10,1E5,\"\xC3\xA9/\"]}");
    EXPECT_FALSE(compact("{").has_value());
}

}  // namespace
}  // namespace sluice::core::json
