#include "sluice/core/json/encode.hpp"

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <boost/describe.hpp>

#include "sluice/core/ids.hpp"

namespace sluice::core::json {
namespace encode_test {

enum class Colour { red, green };
BOOST_DESCRIBE_ENUM(Colour, red, green)

struct Stamp {
    std::int64_t at = 0;
};
BOOST_DESCRIBE_STRUCT(Stamp, (), (at))

struct Item : Stamp {
    std::string article;
    std::optional<double> price;
    Colour colour = Colour::red;
};
BOOST_DESCRIBE_STRUCT(Item, (Stamp), (article, price, colour))

struct Cart {
    bool open = false;
    std::vector<Item> items;
    std::array<std::uint8_t, 2> pair{};
    std::map<std::string, std::int32_t> stock;
    Raw extra;
    LaneId lane;
    std::vector<std::optional<std::int32_t>> holes;
};
BOOST_DESCRIBE_STRUCT(Cart, (), (open, items, pair, stock, extra, lane, holes))

struct Empty {};
BOOST_DESCRIBE_STRUCT(Empty, (), ())

TEST(JsonEncode, writes_members_in_declared_order_bases_first_and_leaves_empties_out) {
    Cart cart;
    cart.open = true;
    cart.items.emplace_back();
    cart.items.back().at = 7;
    cart.items.back().article = "A-1";
    cart.pair = {1, 255};
    cart.stock = {{"b", 2}, {"a", 1}};
    cart.extra = Raw{R"({"x":[1]})"};
    cart.lane = LaneId(3);
    cart.holes = {1, std::nullopt};
    EXPECT_EQ(encode(cart),
              R"({"open":true,"items":[{"at":7,"article":"A-1","colour":"red"}],"pair":[1,255],"stock":{"a":1,"b":2},)"
              R"("extra":{"x":[1]},"lane":3,"holes":[1,null]})");
    EXPECT_EQ(encode(Empty{}), "{}");
}

TEST(JsonEncode, writes_the_shortest_digits_that_read_back) {
    EXPECT_EQ(encode(0.1), "0.1");
    EXPECT_EQ(encode(3.0), "3");
    EXPECT_EQ(encode(-0.0), "-0");
    EXPECT_EQ(encode(1e300), "1e+300");
    EXPECT_EQ(encode(5e-324), "5e-324");
    EXPECT_EQ(encode(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
    EXPECT_EQ(encode(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
    EXPECT_EQ(encode(std::int8_t{-5}), "-5");
}

TEST(JsonEncode, escapes_what_must_be_and_nothing_else) {
    EXPECT_EQ(encode(std::string("\"\\/\b\f\n\r\t\x01\x7f\xE2\x82\xAC")),
              "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\x7f\xE2\x82\xAC\"");
    EXPECT_EQ(encode(std::string("a\0b", 3)), "\"a\\u0000b\"");
}

TEST(JsonEncode, refuses_what_json_cannot_hold_and_names_the_member) {
    Item item;
    item.price = std::numeric_limits<double>::quiet_NaN();
    try {
        (void)encode(item);
        FAIL() << "NaN was written";
    } catch (const EncodeError& error) {
        EXPECT_STREQ(error.what(), "nan is no JSON number (in or near member 'price')");
    }
    EXPECT_THROW((void)encode(std::numeric_limits<double>::infinity()), EncodeError);
    EXPECT_THROW((void)encode(static_cast<Colour>(17)), EncodeError);
}

TEST(JsonEncode, refuses_every_kind_of_bad_utf8) {
    for (const std::string bad : {"\x80", "\xC0\x80", "\xC3", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
                                  "\xF4\x90\x80\x80", "\xF8\x88\x80\x80\x80", "\xFF", "a\xE2\x82"})
        EXPECT_THROW((void)encode(bad), EncodeError) << ::testing::PrintToString(bad);
    for (const std::string good : {"\xC2\x80", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"})
        EXPECT_EQ(encode(good), "\"" + good + "\"");
}

TEST(JsonWriter, replaces_bad_text_for_log_lines) {
    std::string out;
    Writer writer(out, BadText::replace);
    writer.value(std::string_view("a\xFF\xC3z"));
    EXPECT_EQ(out, "\"a\xEF\xBF\xBD\xEF\xBF\xBDz\"");
}

}  // namespace encode_test
}  // namespace sluice::core::json
