#include "sluice/db/internal/text_codec.hpp"

#include <random>

#include <gtest/gtest.h>

namespace sluice::db::internal {
namespace {

Timestamp at(std::int64_t micros) {
    return Timestamp{std::chrono::microseconds{micros}};
}

TEST(TimestampText, always_has_six_digits_and_the_zone) {
    EXPECT_EQ(format_timestamp(at(0)), "1970-01-01T00:00:00.000000Z");
    EXPECT_EQ(format_timestamp(at(-1)), "1969-12-31T23:59:59.999999Z");
    EXPECT_EQ(format_timestamp(at(1'767'322'845'000'006)), "2026-01-02T03:00:45.000006Z");
}

TEST(TimestampText, reads_what_databases_write) {
    EXPECT_EQ(parse_timestamp("1970-01-01T00:00:01.5Z"), at(1'500'000));
    EXPECT_EQ(parse_timestamp("1970-01-01 00:00:01"), at(1'000'000));
    EXPECT_EQ(parse_timestamp("1970-01-01T01:00:00+01:00"), at(0));
    EXPECT_EQ(parse_timestamp("1969-12-31T23:30:00-00:30"), at(0));
    EXPECT_EQ(parse_timestamp("1970-01-01T00:00:00.000001000Z"), at(1));
}

TEST(TimestampText, refuses_what_is_not_a_time_or_finer_than_microseconds) {
    for (const char* text :
         {"", "1970", "1970-13-01T00:00:00Z", "1970-02-30T00:00:00Z", "1970-01-01T24:00:00Z", "1970-01-01T00:60:00Z",
          "1970-01-01T00:00:61Z", "1970-01-01T00:00:00.Z", "1970-01-01T00:00:00.0000001Z", "1970-01-01T00:00:00Zx",
          "1970-01-01X00:00:00Z", "1970-01-01T00:00:00+1", "1970-01-01T00:00:00+24:00"}) {
        EXPECT_EQ(parse_timestamp(text), std::nullopt) << text;
    }
}

TEST(TimestampText, random_times_survive_and_text_order_is_time_order) {
    const auto seed = std::random_device{}();
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    std::uniform_int_distribution<std::int64_t> micros(-62'167'219'200'000'000, 253'402'300'799'999'999);
    for (int i = 0; i < 20'000; ++i) {
        const Timestamp one = at(micros(random));
        const Timestamp two = at(micros(random));
        ASSERT_EQ(parse_timestamp(format_timestamp(one)), one);
        ASSERT_EQ(one < two, format_timestamp(one) < format_timestamp(two));
    }
}

TEST(UuidText, survives_both_ways_and_reads_capitals) {
    const auto uuid = parse_uuid("0123ABCD-4567-89ab-cdef-000000000001");
    ASSERT_TRUE(uuid);
    EXPECT_EQ(format_uuid(*uuid), "0123abcd-4567-89ab-cdef-000000000001");
}

TEST(UuidText, refuses_other_lengths_dashes_and_digits) {
    for (const char* text : {"", "0123abcd456789abcdef000000000001", "0123abcd-4567-89ab-cdef-00000000000",
                             "0123abcd-4567-89ab-cdef-00000000000g", "0123abcd-4567-89ab-cdef0-0000000001-"}) {
        EXPECT_EQ(parse_uuid(text), std::nullopt) << text;
    }
}

TEST(ArrayText, every_kind_survives) {
    const std::vector<std::int64_t> integers{0, -1, std::numeric_limits<std::int64_t>::min(),
                                             std::numeric_limits<std::int64_t>::max()};
    EXPECT_EQ(decode_integers(encode_array(integers)), integers);
    const std::vector<std::string> texts{"", "a\"b\\c\n", "größer", "𝄞"};
    EXPECT_EQ(decode_texts(encode_array(texts)), texts);
    const std::vector<Bytes> bytes{{}, {std::byte{0}, std::byte{0xff}}};
    EXPECT_EQ(decode_bytes_array(encode_array(bytes)), bytes);
    EXPECT_EQ(encode_array(std::vector<std::int64_t>{}), "[]");
}

TEST(ArrayText, refuses_what_is_no_array_of_that_kind) {
    EXPECT_EQ(decode_integers("1"), std::nullopt);
    EXPECT_EQ(decode_integers("[1.5]"), std::nullopt);
    EXPECT_EQ(decode_integers("[9223372036854775808]"), std::nullopt);
    EXPECT_EQ(decode_texts("[null]"), std::nullopt);
    EXPECT_EQ(decode_texts("[\"a\""), std::nullopt);
    EXPECT_EQ(decode_bytes_array("[\"abc\"]"), std::nullopt);
    EXPECT_EQ(decode_bytes_array("[\"zz\"]"), std::nullopt);
}

TEST(StorableText, is_utf8_without_nul) {
    EXPECT_TRUE(is_storable_text(""));
    EXPECT_TRUE(is_storable_text("größer 𝄞"));
    EXPECT_FALSE(is_storable_text(std::string_view("a\0b", 3)));
    EXPECT_FALSE(is_storable_text("\xff"));
    EXPECT_FALSE(is_storable_text("\xc3"));
    EXPECT_FALSE(is_storable_text("\xed\xa0\x80"));
}

}  // namespace
}  // namespace sluice::db::internal
