#include "sluice/db/postgres/internal/copy_encoder.hpp"

#include <limits>

#include <gtest/gtest.h>

namespace sluice::db::postgres {
namespace {

std::string line_of(std::vector<Value> row) {
    std::string line;
    append_copy_row(line, row);
    return line;
}

TEST(CopyEncoder, names_are_quoted) {
    BulkInsert rows;
    rows.table = "my \"t\"";
    rows.columns = {"a", "b c"};
    EXPECT_EQ(copy_sql(rows), "COPY \"my \"\"t\"\"\"(\"a\", \"b c\") FROM STDIN");
}

TEST(CopyEncoder, plain_kinds_stand_as_the_server_reads_them) {
    EXPECT_EQ(line_of({null, true, false, -5, 0.1}), "\\N\tt\tf\t-5\t0.1\n");
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    EXPECT_EQ(line_of({kInfinity, -kInfinity, 1e300}), "Infinity\t-Infinity\t1e+300\n");
}

TEST(CopyEncoder, what_would_end_a_field_or_a_line_is_escaped) {
    EXPECT_EQ(line_of({"a\tb\nc\rd\\e", "\\N", "\\."}), "a\\tb\\nc\\rd\\\\e\t\\\\N\t\\\\.\n");
    EXPECT_EQ(line_of({""}), "\n");
}

TEST(CopyEncoder, bytes_uuids_and_json) {
    const Bytes bytes{std::byte{0}, std::byte{255}};
    EXPECT_EQ(line_of({bytes, Bytes{}}), "\\\\x00ff\t\\\\x\n");
    EXPECT_EQ(line_of({Uuid{}}), "00000000-0000-0000-0000-000000000000\n");
    EXPECT_EQ(line_of({Json{R"({"a":"\n"})"}}), "{\"a\":\"\\\\n\"}\n");
}

TEST(CopyEncoder, timestamps_are_utc_and_the_year_0_is_1_bc) {
    EXPECT_EQ(line_of({Timestamp{std::chrono::microseconds{1}}}), "1970-01-01T00:00:00.000001Z\n");
    const Timestamp year_0 = std::chrono::sys_days{std::chrono::year{0} / 2 / 29};
    EXPECT_EQ(line_of({year_0}), "0001-02-29T00:00:00.000000Z BC\n");
}

TEST(CopyEncoder, arrays_quote_their_elements_and_then_the_field) {
    EXPECT_EQ(line_of({std::vector<std::int64_t>{1, -2}, std::vector<std::int64_t>{}}), "{1,-2}\t{}\n");
    EXPECT_EQ(line_of({std::vector<std::string>{"", "a\"b\\c,\n", "NULL"}}),
              "{\"\",\"a\\\\\"b\\\\\\\\c,\\n\",\"NULL\"}\n");
    EXPECT_EQ(line_of({std::vector<Bytes>{{std::byte{1}}, {}}}), "{\"\\\\\\\\x01\",\"\\\\\\\\x\"}\n");
}

}  // namespace
}  // namespace sluice::db::postgres
