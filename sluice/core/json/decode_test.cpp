#include "sluice/core/json/decode.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <boost/describe.hpp>

#include "sluice/core/ids.hpp"

namespace sluice::core::json {
namespace decode_test {

enum class Size { small, large };
BOOST_DESCRIBE_ENUM(Size, small, large)

struct Base {
    std::int64_t at = 0;
};
BOOST_DESCRIBE_STRUCT(Base, (), (at))

struct Line : Base {
    std::string article;
    std::uint8_t quantity = 0;
    std::optional<std::string> note;
};
BOOST_DESCRIBE_STRUCT(Line, (Base), (article, quantity, note))

struct Order {
    std::vector<Line> items;
    std::map<std::string, bool> flags;
    std::array<std::int32_t, 2> pair{};
    Size size = Size::small;
    Raw extra;
    Sequence sequence;
    double price = 0;
};
BOOST_DESCRIBE_STRUCT(Order, (), (items, flags, pair, size, extra, sequence, price))

constexpr std::string_view kOrder =
    R"({"items":[{"at":1,"article":"A","quantity":2}],"flags":{"b":true},"pair":[3,4],"size":"large",)"
    R"("extra":{"x": [1, 2.50]},"sequence":9,"price":1.5})";

template <class T>
std::string failure(std::string_view text, const Limits& limits = {}) {
    const auto value = decode<T>(text, limits);
    return value ? "decoded" : to_string(value.error());
}

TEST(JsonDecode, reads_every_type_in_any_order_of_members) {
    const auto order = decode<Order>(kOrder);
    ASSERT_TRUE(order.has_value()) << to_string(order.error());
    EXPECT_EQ(order->items.at(0).at, 1);
    EXPECT_EQ(order->items.at(0).quantity, 2);
    EXPECT_FALSE(order->items.at(0).note.has_value());
    EXPECT_TRUE(order->flags.at("b"));
    EXPECT_EQ(order->pair[1], 4);
    EXPECT_EQ(order->size, Size::large);
    EXPECT_EQ(order->extra.text, R"({"x":[1,2.50]})");
    EXPECT_EQ(order->sequence, Sequence(9));
    const auto line = decode<Line>(R"({"note":null,"quantity":1,"article":"B","at":5})");
    ASSERT_TRUE(line.has_value());
    EXPECT_EQ(line->at, 5);
    EXPECT_FALSE(line->note.has_value());
}

TEST(JsonDecode, names_the_path_of_what_is_wrong) {
    EXPECT_EQ(failure<Line>(R"({"at":1,"article":"A"})"), "$.quantity: missing");
    EXPECT_EQ(failure<Line>(R"({"at":1,"article":"A","quantity":"2"})"),
              "$.quantity: expected an integer, found a string");
    EXPECT_EQ(failure<Line>(R"({"at":1,"article":"A","quantity":256})"),
              "$.quantity: expected an integer from 0 to 255, found 256");
    EXPECT_EQ(failure<Line>(R"({"at":1,"article":"A","quantity":-1})"),
              "$.quantity: expected an integer from 0 to 255, found -1");
    EXPECT_EQ(failure<Line>(R"({"at":1.0,"article":"A","quantity":1})"),
              "$.at: expected an integer, found a number with a fraction or an exponent");
    EXPECT_EQ(failure<Line>(R"({"at":1,"article":null,"quantity":1})"), "$.article: expected a string, found null");
    EXPECT_EQ(failure<std::vector<Line>>(R"([{"at":1,"article":"A","quantity":1},{"at":true}])"),
              "$[1].at: expected an integer, found a boolean");
    EXPECT_EQ((failure<std::map<std::string, std::vector<std::int32_t>>>(R"({"odd name":[1,[]]})")),
              "$[\"odd name\"][1]: expected an integer, found an array");
    EXPECT_EQ((failure<std::array<bool, 2>>("[true]")), "$: expected 2 elements, found 1");
    EXPECT_EQ(failure<Size>("\"huge\""), "$: expected one of \"small\", \"large\", found \"huge\"");
    EXPECT_EQ(failure<double>("1e400"), "$: 1e400 does not fit a 64-bit floating-point number");
    EXPECT_EQ(failure<std::int64_t>("9223372036854775808"),
              "$: expected an integer from -9223372036854775808 to 9223372036854775807, found 9223372036854775808");
}

TEST(JsonDecode, refuses_unknown_members_unless_told_to_ignore_them) {
    const std::string_view text = R"({"at":1,"more":{"a":1}})";
    EXPECT_EQ(failure<Base>(text), "$.more: unknown member");
    EXPECT_EQ(failure<Base>(text, Limits{.ignore_unknown = true}), "decoded");
}

TEST(JsonDecode, reads_a_part_of_a_parsed_document) {
    const auto document = parse(R"({"kind":"line","body":{"at":4}})");
    ASSERT_TRUE(document.has_value());
    const auto body = read<Base>(*document->root().find("body"));
    ASSERT_TRUE(body.has_value());
    EXPECT_EQ(body->at, 4);
}

}  // namespace decode_test
}  // namespace sluice::core::json
