#include <limits>

#include <gtest/gtest.h>

#include "sluice/db/mariadb/internal/bulk.hpp"
#include "sluice/db/mariadb/internal/parameters.hpp"
#include "sluice/db/mariadb/internal/rows.hpp"

namespace sluice::db::mariadb {
namespace {

Timestamp at(std::int64_t micros) {
    return Timestamp{std::chrono::microseconds{micros}};
}

TEST(MariadbCodec, timestamps_survive_both_ways) {
    for (const std::int64_t micros : {std::int64_t{0}, std::int64_t{1}, std::int64_t{-1},
                                      std::int64_t{1'767'322'845'123'456}, std::int64_t{253'402'300'799'999'999}}) {
        EXPECT_EQ(to_timestamp(to_time(at(micros))), at(micros)) << micros;
    }
}

TEST(MariadbCodec, a_date_that_does_not_exist_is_no_timestamp) {
    MYSQL_TIME zero{};
    EXPECT_EQ(to_timestamp(zero), std::nullopt);
    MYSQL_TIME late = to_time(at(0));
    late.month = 2;
    late.day = 30;
    EXPECT_EQ(to_timestamp(late), std::nullopt);
}

TEST(MariadbCodec, dates_and_times_of_day_have_a_text_form) {
    MYSQL_TIME time{};
    time.year = 2026;
    time.month = 1;
    time.day = 2;
    EXPECT_EQ(date_text(time), "2026-01-02");
    MYSQL_TIME span{};
    span.neg = 1;
    span.day = 2;
    span.hour = 3;
    span.minute = 4;
    span.second = 5;
    EXPECT_EQ(time_text(span), "-51:04:05");
    span.second_part = 60;
    EXPECT_EQ(time_text(span), "-51:04:05.000060");
}

MYSQL_FIELD field_of(enum_field_types type, unsigned charset) {
    MYSQL_FIELD field{};
    field.type = type;
    field.charsetnr = charset;
    return field;
}

TEST(MariadbCodec, columns_are_read_by_type_and_character_set) {
    constexpr unsigned kUtf8 = 45;
    constexpr unsigned kBinary = 63;
    EXPECT_EQ(kind_of(field_of(MYSQL_TYPE_TINY, kBinary)), ColumnKind::integer);
    EXPECT_EQ(kind_of(field_of(MYSQL_TYPE_LONGLONG, kBinary)), ColumnKind::integer);
    EXPECT_EQ(kind_of(field_of(MYSQL_TYPE_FLOAT, kBinary)), ColumnKind::single);
    EXPECT_EQ(kind_of(field_of(MYSQL_TYPE_DOUBLE, kBinary)), ColumnKind::real);
    EXPECT_EQ(kind_of(field_of(MYSQL_TYPE_NEWDECIMAL, kBinary)), ColumnKind::text);
    EXPECT_EQ(kind_of(field_of(MYSQL_TYPE_DATETIME, kBinary)), ColumnKind::timestamp);
    EXPECT_EQ(kind_of(field_of(MYSQL_TYPE_DATE, kBinary)), ColumnKind::date);
    EXPECT_EQ(kind_of(field_of(MYSQL_TYPE_BLOB, kBinary)), ColumnKind::bytes);
    EXPECT_EQ(kind_of(field_of(MYSQL_TYPE_BLOB, kUtf8)), ColumnKind::text);
    EXPECT_EQ(kind_of(field_of(MYSQL_TYPE_VAR_STRING, kUtf8)), ColumnKind::text);
    EXPECT_EQ(kind_of(field_of(MYSQL_TYPE_NULL, kBinary)), ColumnKind::null);
}

TEST(MariadbCodec, a_value_that_stands_twice_is_bound_twice) {
    const std::vector<Value> values{1, "two"};
    const Parameters parameters(values);
    const std::vector<MYSQL_BIND> bindings = parameters.bindings({1, 0, 1});
    ASSERT_EQ(bindings.size(), 3U);
    EXPECT_EQ(bindings[0].buffer, bindings[2].buffer);
    EXPECT_EQ(bindings[0].buffer_length, 3U);
    EXPECT_EQ(bindings[1].buffer_type, MYSQL_TYPE_LONGLONG);
}

TEST(MariadbCodec, empty_values_are_not_null) {
    const std::vector<Value> values{"", Bytes{}};
    const Parameters parameters(values);
    EXPECT_NE(parameters.binding(0).buffer, nullptr);
    EXPECT_NE(parameters.binding(1).buffer, nullptr);
    EXPECT_EQ(parameters.binding(1).buffer_type, MYSQL_TYPE_BLOB);
}

TEST(MariadbCodec, an_infinite_real_is_refused_as_well_as_what_no_database_stores) {
    EXPECT_TRUE(value_refusal(std::numeric_limits<double>::infinity()).has_value());
    EXPECT_TRUE(value_refusal(-std::numeric_limits<double>::infinity()).has_value());
    EXPECT_TRUE(value_refusal(std::numeric_limits<double>::quiet_NaN()).has_value());
    EXPECT_TRUE(value_refusal("\xff").has_value());
    EXPECT_FALSE(value_refusal(std::numeric_limits<double>::max()).has_value());
}

TEST(MariadbCodec, a_bulk_insert_quotes_its_names) {
    const BulkInsert rows{"a\"b", {"x", "y z"}, {}};
    EXPECT_EQ(bulk_sql(rows), "INSERT INTO \"a\"\"b\"(\"x\", \"y z\") VALUES (?, ?)");
}

}  // namespace
}  // namespace sluice::db::mariadb
