// Values as parameters, and columns of both formats back into values.
#include <limits>

#include <gtest/gtest.h>

#include "sluice/core/random.hpp"
#include "sluice/db/postgres/internal/decode.hpp"
#include "sluice/db/postgres/internal/parameters.hpp"
#include "sluice/db/postgres/internal/wire.hpp"

namespace sluice::db::postgres {
namespace {

Timestamp at(std::int64_t micros) {
    return Timestamp{std::chrono::microseconds{micros}};
}

Value text_of(Oid type, std::string_view data) {
    const auto decoded = decode_text(type, data);
    EXPECT_TRUE(decoded.has_value()) << data << ": " << (decoded ? "" : decoded.error());
    return decoded.value_or(null);
}

std::string hex(std::string_view bytes) {
    std::string text;
    for (char c : bytes)
        text += fmt::format("{:02x}", static_cast<unsigned char>(c));
    return text;
}

std::string parameter_bytes(const Value& value) {
    const std::vector<Value> values{value};
    const Parameters parameters(values);
    return hex({parameters.values()[0], static_cast<std::size_t>(parameters.lengths()[0])});
}

TEST(PostgresParameters, numbers_are_in_network_order_with_their_type) {
    EXPECT_EQ(parameter_bytes(std::int64_t{-2}), "fffffffffffffffe");
    EXPECT_EQ(parameter_bytes(1.5), "3ff8000000000000");
    EXPECT_EQ(parameter_bytes(true), "01");
    EXPECT_EQ(parameter_bytes(at(946'684'800'000'001)), "0000000000000001");
}

// A batch keeps them in a vector: grown by copies, they once pointed into what had been freed.
TEST(PostgresParameters, keep_their_place_when_they_are_moved_and_cannot_be_copied) {
    static_assert(!std::is_copy_constructible_v<Parameters>);
    const std::vector<Value> values{std::int64_t{-2}};
    std::vector<Parameters> batch;
    batch.emplace_back(values);
    const char* const place = batch[0].values()[0];

    for (int i = 0; i < 100; ++i)
        batch.emplace_back(values);

    EXPECT_EQ(batch[0].values()[0], place);
    EXPECT_EQ(hex({batch[0].values()[0], 8}), "fffffffffffffffe");
}

TEST(PostgresParameters, arrays_have_one_dimension_or_none) {
    EXPECT_EQ(parameter_bytes(std::vector<std::int64_t>{}), "000000000000000000000014");
    EXPECT_EQ(parameter_bytes(std::vector<std::int64_t>{7}),
              "00000001000000000000001400000001000000010000000800000000000000"
              "07");
    EXPECT_EQ(parameter_bytes(std::vector<std::string>{"ab"}),
              "000000010000000000000019000000010000000100000002"
              "6162");
}

TEST(PostgresParameters, null_has_no_type_and_text_leaves_it_to_the_server) {
    const std::vector<Value> values{null, "x", std::string(), Bytes{}, Json{"{}"}};
    const Parameters parameters(values);
    EXPECT_EQ(parameters.types(), (std::vector<Oid>{kUnknownType, kUnknownType, kUnknownType, kBytea, kJson}));
    EXPECT_EQ(parameters.values()[0], nullptr);
    EXPECT_NE(parameters.values()[2], nullptr) << "an empty text is no null";
    EXPECT_NE(parameters.values()[3], nullptr) << "empty bytes are no null";
    EXPECT_EQ(parameters.formats()[1], 0);
    EXPECT_EQ(parameters.formats()[3], 1);
}

/// What goes out in binary comes back.
TEST(PostgresCodec, every_binary_kind_survives_a_round_trip) {
    using Limits = std::numeric_limits<std::int64_t>;
    const std::vector<Value> values{true,
                                    false,
                                    Limits::min(),
                                    Limits::max(),
                                    -0.0,
                                    std::numeric_limits<double>::max(),
                                    Bytes{std::byte{0}},
                                    at(0),
                                    at(-1),
                                    at(253'402'300'799'999'999),
                                    at(-62'167'219'200'000'000),
                                    Uuid{},
                                    std::vector<std::int64_t>{1, Limits::min()},
                                    std::vector<std::string>{"", "a,\"b"},
                                    std::vector<Bytes>{{}, {std::byte{255}}}};
    const Parameters parameters(values);
    for (std::size_t i = 0; i < values.size(); ++i) {
        const std::string_view bytes(parameters.values()[i], static_cast<std::size_t>(parameters.lengths()[i]));
        ASSERT_TRUE(has_binary_codec(parameters.types()[i]));
        const auto back = decode_binary(parameters.types()[i], bytes);
        ASSERT_TRUE(back.has_value()) << i << ": " << back.error();
        EXPECT_EQ(*back, values[i]) << i;
    }
}

TEST(PostgresCodec, text_forms_of_every_kind) {
    EXPECT_EQ(text_of(kBool, "t"), Value(true));
    EXPECT_EQ(text_of(kInt8, "-9223372036854775808"), Value(std::numeric_limits<std::int64_t>::min()));
    EXPECT_EQ(text_of(kInt2, "7"), Value(7));
    EXPECT_EQ(text_of(kFloat8, "-1.5e-300"), Value(-1.5e-300));
    EXPECT_EQ(text_of(kFloat8, "-Infinity"), Value(-std::numeric_limits<double>::infinity()));
    EXPECT_EQ(text_of(kBytea, "\\x00ff"), Value(Bytes{std::byte{0}, std::byte{255}}));
    EXPECT_EQ(text_of(kUuid, "00000000-0000-0000-0000-000000000000"), Value(Uuid{}));
    EXPECT_EQ(text_of(kJsonb, "{}"), Value(Json{"{}"}));
    for (const auto& [type, text] :
         {std::pair{kBool, "true"}, {kInt8, "1x"}, {kBytea, "00"}, {kBytea, "\\x0"}, {kUuid, "x"}}) {
        EXPECT_FALSE(decode_text(type, text).has_value()) << text;
    }
}

TEST(PostgresCodec, types_without_a_kind_are_text) {
    constexpr Oid kNumeric = 1700;
    EXPECT_FALSE(has_binary_codec(kNumeric));
    EXPECT_EQ(text_of(kNumeric, "12345678901234567890.5"), Value("12345678901234567890.5"));
    EXPECT_FALSE(decode_binary(kNumeric, "x").has_value());
}

TEST(PostgresCodec, timestamps_of_every_zone_and_of_1_bc) {
    EXPECT_EQ(text_of(kTimestampTz, "2026-01-02 03:00:45.123456+00"), Value(at(1'767'322'845'123'456)));
    EXPECT_EQ(text_of(kTimestampTz, "2026-01-02 08:30:45.123456+05:30"), Value(at(1'767'322'845'123'456)));
    EXPECT_EQ(text_of(kTimestampTz, "2026-01-01 22:00:45.123456-05"), Value(at(1'767'322'845'123'456)));
    EXPECT_EQ(text_of(kTimestamp, "1970-01-01 00:00:00"), Value(at(0)));
    const Timestamp leap_day = std::chrono::sys_days{std::chrono::year{0} / 2 / 29};
    EXPECT_EQ(text_of(kTimestampTz, "0001-02-29 00:00:00+00 BC"), Value(leap_day));
    for (const char* const text : {"infinity", "-infinity", "0002-01-01 00:00:00+00 BC", "10000-01-01 00:00:00+00",
                                   "Fri Jan 02 03:00:45 2026 UTC", "", "2026-01-02", "2026-01-02 03:00:45+0"}) {
        EXPECT_FALSE(decode_text(kTimestampTz, text).has_value()) << text;
    }
}

TEST(PostgresCodec, arrays_in_text) {
    EXPECT_EQ(text_of(kInt8Array, "{}"), Value(std::vector<std::int64_t>{}));
    EXPECT_EQ(text_of(kInt8Array, "{1,-2}"), Value(std::vector<std::int64_t>{1, -2}));
    EXPECT_EQ(text_of(kTextArray, R"({a,"b,\"c\" {}\\","",NULLs,"NULL"})"),
              Value(std::vector<std::string>{"a", "b,\"c\" {}\\", "", "NULLs", "NULL"}));
    EXPECT_EQ(text_of(kByteaArray, R"({"\\x00ff","\\x"})"),
              Value(std::vector<Bytes>{{std::byte{0}, std::byte{255}}, {}}));
    for (const char* const text :
         {"", "{", "}", "{1", "{1,}", "{,1}", "{{1}}", "[2:3]={1,2}", "{NULL}", "{\"a", "{\"a\\", "{1}x", "{x}"}) {
        EXPECT_FALSE(decode_text(kInt8Array, text).has_value()) << text;
    }
}

TEST(PostgresCodec, malformed_binary_values_are_refused) {
    const std::vector<std::pair<Oid, std::string>> wrong{
        {kBool, ""},
        {kBool, "\2"},
        {kInt8, "1234567"},
        {kInt4, "12345"},
        {kFloat8, "12345"},
        {kUuid, "x"},
        {kTimestamp, "x"},
        {kJsonb, "\2{}"},
        {kJsonb, ""},
        {kInt8Array, "x"},
        {kTimestampTz, "\x7f\xff\xff\xff\xff\xff\xff\xff"},
    };
    for (const auto& [type, data] : wrong)
        EXPECT_FALSE(decode_binary(type, data).has_value()) << type;
    std::string huge;  // an array that claims two thousand million elements
    put_number<std::int32_t>(huge, 1);
    put_number<std::int32_t>(huge, 0);
    put_number<std::uint32_t>(huge, kInt8);
    put_number<std::int32_t>(huge, std::numeric_limits<std::int32_t>::max());
    put_number<std::int32_t>(huge, 1);
    EXPECT_FALSE(decode_binary(kInt8Array, huge).has_value());
}

TEST(PostgresCodec, random_bytes_are_decoded_or_refused_and_never_read_beyond_their_end) {
    core::Random random(20'26);
    constexpr std::array kTypes{kBool, kBytea, kInt8,      kFloat8,    kTimestampTz,
                                kUuid, kJsonb, kInt8Array, kTextArray, kByteaArray};
    std::size_t decoded = 0;
    for (int i = 0; i < 100'000; ++i) {
        // On the heap and of exact size, so that the address sanitizer sees a byte too much.
        std::vector<char> data(random.below(40));
        for (char& byte : data)
            byte = static_cast<char>(random.below(4) == 0 ? random.below(256) : random.below(3));
        const Oid type = kTypes[random.below(kTypes.size())];
        const std::string_view view(data.data(), data.size());
        decoded += decode_binary(type, view).has_value() ? 1 : 0;
        decoded += decode_text(type, view).has_value() ? 1 : 0;
    }
    EXPECT_GT(decoded, 1'000U);
}

}  // namespace
}  // namespace sluice::db::postgres
