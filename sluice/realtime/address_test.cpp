#include "sluice/realtime/address.hpp"

#include <random>

#include <gtest/gtest.h>

namespace sluice::realtime {
namespace {

const tenant::TenantId& shop() {
    static const tenant::TenantId id = tenant::TenantId::parse("shop_a").value();
    return id;
}

TEST(AddressTest, a_key_is_one_segment_whatever_it_contains) {
    const auto address = make_channel(shop(), "projection", {"stock_level", "A/1 é"});
    ASSERT_TRUE(address);
    EXPECT_EQ(format_channel(*address), "projection/stock_level/A%2F1%20%C3%A9");
    EXPECT_EQ(segments_of(*address), (std::vector<std::string>{"stock_level", "A/1 é"}));
}

TEST(AddressTest, parsing_the_formatted_address_gives_the_address_back) {
    const std::uint32_t seed = std::random_device{}();
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    const std::vector<std::string> pieces{"a", "Z", "/",  "%",    "%2F", ".",  "~",
                                          " ", "é", "😀", "\x7f", "\n",  "\"", "\\"};
    for (int round = 0; round < 20'000; ++round) {
        std::vector<std::string> segments(1 + random() % 3);
        for (std::string& segment : segments)
            for (std::size_t n = 1 + random() % 6; n > 0; --n)
                segment += pieces[random() % pieces.size()];
        const std::vector<std::string_view> views(segments.begin(), segments.end());
        const auto address = make_channel(shop(), "projection", views);
        ASSERT_TRUE(address);
        const auto again = parse_channel(shop(), format_channel(*address));
        ASSERT_TRUE(again) << format_channel(*address);
        EXPECT_EQ(*again, *address);
        EXPECT_EQ(segments_of(*again), segments);
    }
}

TEST(AddressTest, what_parses_is_the_one_spelling_of_its_channel) {
    const std::uint32_t seed = std::random_device{}();
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    const std::string bytes = "aZ9._~-%/2F5e\xc3 ";
    int parsed = 0;
    for (int round = 0; round < 100'000; ++round) {
        std::string wire = "n/";
        for (std::size_t n = random() % 8; n > 0; --n)
            wire += bytes[random() % bytes.size()];
        const auto address = parse_channel(shop(), wire);
        if (!address) continue;
        ++parsed;
        EXPECT_EQ(format_channel(*address), wire);
        const std::vector<std::string> segments = segments_of(*address);
        EXPECT_EQ(make_channel(shop(), "n", {segments.begin(), segments.end()}), *address);
    }
    EXPECT_GT(parsed, 100);
}

TEST(AddressTest, what_is_not_an_address_is_refused_by_name) {
    const auto error_of = [](std::string_view wire) { return parse_channel(shop(), wire).error(); };
    EXPECT_EQ(error_of(""), AddressError::empty);
    EXPECT_EQ(error_of("projection"), AddressError::empty);
    EXPECT_EQ(error_of("projection/"), AddressError::empty);
    EXPECT_EQ(error_of("projection/a//b"), AddressError::empty);
    EXPECT_EQ(error_of("projection/a/"), AddressError::empty);
    EXPECT_EQ(error_of("/a"), AddressError::bad_namespace);
    EXPECT_EQ(error_of("Projection/a"), AddressError::bad_namespace);
    EXPECT_EQ(error_of("1p/a"), AddressError::bad_namespace);
    EXPECT_EQ(error_of(std::string(49, 'p') + "/a"), AddressError::bad_namespace);
    EXPECT_EQ(error_of("p/a b"), AddressError::bad_byte);
    EXPECT_EQ(error_of("p/\xc3\xa9"), AddressError::bad_byte);
    EXPECT_EQ(error_of("p/%"), AddressError::bad_escape);
    EXPECT_EQ(error_of("p/%2"), AddressError::bad_escape);
    EXPECT_EQ(error_of("p/%2f"), AddressError::bad_escape);
    EXPECT_EQ(error_of("p/%41"), AddressError::not_canonical);
    EXPECT_EQ(error_of("p/%00"), AddressError::not_utf8);
    EXPECT_EQ(error_of("p/%FF"), AddressError::not_utf8);
    EXPECT_EQ(error_of("p/%ED%A0%80"), AddressError::not_utf8);
    EXPECT_EQ(error_of("p/" + std::string(513, 'a')), AddressError::too_long);
    EXPECT_EQ(error_of("p/" + std::string(2047, 'a')), AddressError::too_long);
}

TEST(AddressTest, a_segment_of_512_bytes_is_the_longest) {
    EXPECT_TRUE(parse_channel(shop(), "p/" + std::string(512, 'a')));
    EXPECT_TRUE(make_channel(shop(), "p", {std::string(512, ' ')}));
    EXPECT_EQ(make_channel(shop(), "p", {std::string(513, 'a')}).error(), AddressError::too_long);
}

TEST(AddressTest, a_wire_address_cannot_name_a_tenant) {
    const tenant::TenantId other = tenant::TenantId::parse("shop_b").value();
    const auto mine = parse_channel(shop(), "projection/shop_b/stock");
    ASSERT_TRUE(mine);
    EXPECT_EQ(mine->tenant, shop());
    EXPECT_NE(*mine, *parse_channel(other, "projection/shop_b/stock"));
}

TEST(AddressTest, every_error_has_a_sentence) {
    for (int error = 0; error <= static_cast<int>(AddressError::not_utf8); ++error)
        EXPECT_GT(to_string(static_cast<AddressError>(error)).size(), 20u);
}

}  // namespace
}  // namespace sluice::realtime
