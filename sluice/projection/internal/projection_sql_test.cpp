#include "sluice/projection/internal/projection_sql.hpp"

#include <bit>

#include <gtest/gtest.h>

#include "sluice/projection/checksum.hpp"
#include "sluice/projection/internal/store.hpp"

namespace sluice::projection::internal {
namespace {

/// docs/sqlite.md: longer statements are compiled anew each time, which cost a rebuild two thirds of its time.
constexpr std::size_t kLongestCachedSql = 16 * 1024;

TEST(ProjectionSql, statements_over_many_rows_are_short_enough_for_the_statement_cache) {
    const Texts& sqlite = texts(db::Dialect::sqlite);
    for (const RowTexts* of_sizes : {&sqlite.insert, &sqlite.update, &sqlite.put, &sqlite.insert_delta})
        for (const RowsText& text : *of_sizes)
            EXPECT_LE(text.sql.size(), kLongestCachedSql) << text.sql.substr(0, 60);
}

TEST(ProjectionSql, statements_over_many_rows_number_every_value_once) {
    for (const RowsText& put : texts(db::Dialect::sqlite).put) {
        const std::string last = "$" + std::to_string(2 + put.rows * 6);
        EXPECT_TRUE(put.sql.contains(last + ")")) << put.rows;
        EXPECT_FALSE(put.sql.contains("$" + std::to_string(3 + put.rows * 6))) << put.rows;
    }
}

TEST(ProjectionSql, rows_are_cut_into_the_sizes_that_there_are_texts_for) {
    std::vector<KeyFold> keys(300);
    for (std::size_t i = 0; i < keys.size(); ++i)
        keys[i].key = std::to_string(i);
    Writes one_by_one;
    Store(db::Dialect::sqlite, "p").put_states(1, keys, one_by_one);
    std::vector<std::uint64_t> sizes;
    for (const Write& write : one_by_one)
        sizes.push_back(write.must_affect.value());
    EXPECT_EQ(sizes, (std::vector<std::uint64_t>{256, 16, 16, 4, 4, 4}));
    EXPECT_EQ(one_by_one.back().statement.values.size(), 2u + 4 * 6);
}

TEST(ProjectionSql, arrays_take_any_number_of_rows_and_a_removed_state_is_an_empty_text) {
    std::vector<KeyFold> keys(3);
    for (std::size_t i = 0; i < keys.size(); ++i) {
        keys[i].key = "key-" + std::to_string(i);
        keys[i].version = core::Version(static_cast<std::int64_t>(i) + 1);
        keys[i].state = "{}";
        keys[i].removed = i == 1;
    }
    Writes writes;
    Store(db::Dialect::postgres, "p").put_states(7, keys, writes);
    ASSERT_EQ(writes.size(), 1u);
    EXPECT_EQ(writes[0].must_affect, 3u);
    const std::vector<db::Value>& values = writes[0].statement.values;
    ASSERT_EQ(values.size(), 2u + 6);
    EXPECT_EQ(values[2], db::Value(std::vector<std::string>{"key-0", "key-1", "key-2"}));
    EXPECT_EQ(values[3], db::Value(std::vector<std::int64_t>{1, 2, 3}));
    EXPECT_EQ(values[5], db::Value(std::vector<std::string>{"{}", "", "{}"}));
}

TEST(ProjectionSql, json_takes_any_number_of_rows_and_a_removed_state_is_null) {
    std::vector<KeyFold> keys(2);
    for (std::size_t i = 0; i < keys.size(); ++i) {
        keys[i].key = "key \"" + std::to_string(i) + "\"";
        keys[i].version = core::Version(static_cast<std::int64_t>(i) + 1);
        keys[i].state = "{}";
        keys[i].removed = i == 1;
    }
    Writes writes;
    Store(db::Dialect::mariadb, "p").put_states(7, keys, writes);
    ASSERT_EQ(writes.size(), 1u);
    EXPECT_EQ(writes[0].must_affect, std::nullopt) << "a row that was there counts twice";
    ASSERT_EQ(writes[0].statement.values.size(), 3u);
    const std::string checksum = std::to_string(std::bit_cast<std::int64_t>(projection::checksum("{}")));
    EXPECT_EQ(writes[0].statement.values[2], db::Value("[[\"key \\\"0\\\"\",1,0,\"{}\"," + checksum +
                                                       ",0],[\"key \\\"1\\\"\",2,0,null," + checksum + ",0]]"));
}

TEST(ProjectionSql, rows_beyond_a_mebibyte_go_into_another_packet) {
    std::vector<KeyFold> keys(10);
    for (std::size_t i = 0; i < keys.size(); ++i) {
        keys[i].key = std::to_string(i);
        keys[i].state = std::string(400 * 1024, ' ');
    }
    Writes writes;
    Store(db::Dialect::mariadb, "p").write_states(1, keys, writes);
    std::vector<std::uint64_t> rows;
    for (const Write& write : writes)
        rows.push_back(write.must_affect.value());
    EXPECT_EQ(rows, (std::vector<std::uint64_t>{3, 3, 3, 1}));
}

TEST(ProjectionSql, states_that_are_there_come_first_and_in_the_order_in_which_units_lock_them) {
    std::vector<KeyFold> keys(4);
    for (std::size_t i = 0; i < keys.size(); ++i) {
        keys[i].key = std::string(1, static_cast<char>('d' - i));
        keys[i].had_row = i % 2 == 1;
    }
    Writes writes;
    Store(db::Dialect::postgres, "p").write_states(1, keys, writes);
    ASSERT_EQ(writes.size(), 2u);
    EXPECT_EQ(writes[0].statement.sql, texts(db::Dialect::postgres).update.front().sql);
    EXPECT_EQ(writes[0].statement.values[2], db::Value(std::vector<std::string>{"a", "c"}));
    EXPECT_EQ(writes[1].statement.values[2], db::Value(std::vector<std::string>{"b", "d"}));
}

}  // namespace
}  // namespace sluice::projection::internal
