#include "sluice/db/row.hpp"

#include <gtest/gtest.h>
#include <boost/describe/class.hpp>

#include "sluice/core/ids.hpp"
#include "sluice/db/error.hpp"
#include "sluice/db/row_as.hpp"

namespace sluice::db {
namespace {

Row row_of(Columns columns, std::vector<Value> values) {
    return {std::make_shared<const Columns>(std::move(columns)), std::move(values)};
}

Row row_with(Value value) {
    return row_of({"stock"}, {std::move(value)});
}

template <class Work>
std::string query_error_of(Work work) {
    try {
        work();
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::query);
        return error.what();
    }
    return "nothing was thrown";
}

template <class T>
std::string refusal_of(Value value) {
    return query_error_of([&] { static_cast<void>(row_with(std::move(value)).get<T>("stock")); });
}

TEST(Row, reads_every_kind_by_name_and_by_position) {
    const Row row = row_of({"a", "b", "c"}, {std::int64_t{7}, "text", 1.5});
    EXPECT_EQ(row.get<std::int64_t>("a"), 7);
    EXPECT_EQ(row.get<std::string>(1), "text");
    EXPECT_EQ(row.get<double>("c"), 1.5);
}

TEST(Row, null_is_an_empty_optional_and_an_error_for_anything_else) {
    EXPECT_EQ(row_with(null).get<std::optional<std::string>>("stock"), std::nullopt);
    EXPECT_EQ(row_with("x").get<std::optional<std::string>>("stock"), "x");
    EXPECT_EQ(refusal_of<std::string>(null), "query: column \"stock\": expected text, found null");
}

TEST(Row, error_names_the_column_and_both_types) {
    EXPECT_EQ(refusal_of<std::int64_t>("many"), "query: column \"stock\": expected integer, found text");
    EXPECT_EQ(refusal_of<std::string>(std::int64_t{3}), "query: column \"stock\": expected text, found integer");
    EXPECT_EQ(refusal_of<Bytes>("x"), "query: column \"stock\": expected bytes, found text");
    EXPECT_EQ(refusal_of<double>(Bytes{}), "query: column \"stock\": expected real, found bytes");
    EXPECT_EQ(refusal_of<Timestamp>(1.0), "query: column \"stock\": expected timestamp, found real");
    EXPECT_EQ(refusal_of<std::vector<std::string>>(1.0), "query: column \"stock\": expected text array, found real");
}

TEST(Row, a_missing_column_is_named_with_those_there_are) {
    const Row row = row_of({"id", "name"}, {null, null});
    EXPECT_EQ(query_error_of([&] { static_cast<void>(row.get<bool>("stock")); }),
              "query: column \"stock\": missing; the row has \"id\", \"name\"");
    EXPECT_EQ(query_error_of([&] { static_cast<void>(row.get<bool>(2)); }),
              "query: column 2: the row has 2 columns, counted from 0");
}

TEST(Row, conversions_that_lose_nothing_are_made) {
    EXPECT_TRUE(row_with(std::int64_t{1}).get<bool>(0));
    EXPECT_FALSE(row_with(std::int64_t{0}).get<bool>(0));
    EXPECT_EQ(row_with(true).get<std::int64_t>(0), 1);
    EXPECT_EQ(row_with(std::int64_t{1} << 53).get<double>(0), 9007199254740992.0);
    EXPECT_EQ(row_with("{}").get<Json>(0), Json{"{}"});
    EXPECT_EQ(row_with(Json{"[1]"}).get<std::string>(0), "[1]");
    EXPECT_EQ(row_with("[1,-2]").get<std::vector<std::int64_t>>(0), (std::vector<std::int64_t>{1, -2}));
    EXPECT_EQ(row_with(Json{R"(["a",""])"}).get<std::vector<std::string>>(0), (std::vector<std::string>{"a", ""}));
    EXPECT_EQ(row_with(R"(["00ff"])").get<std::vector<Bytes>>(0), (std::vector<Bytes>{{std::byte{0}, std::byte{255}}}));
}

TEST(Row, conversions_that_would_lose_something_are_refused) {
    EXPECT_EQ(refusal_of<bool>(std::int64_t{2}),
              "query: column \"stock\": expected bool, found integer that is not one");
    EXPECT_EQ(refusal_of<double>((std::int64_t{1} << 53) + 1),
              "query: column \"stock\": expected real, found integer that is not one");
    EXPECT_EQ(refusal_of<Timestamp>("yesterday"),
              "query: column \"stock\": expected timestamp, found text that is not one");
    EXPECT_EQ(refusal_of<Uuid>("1234"), "query: column \"stock\": expected uuid, found text that is not one");
    EXPECT_EQ(refusal_of<Uuid>(Bytes(15)), "query: column \"stock\": expected uuid, found bytes that is not one");
    EXPECT_EQ(refusal_of<std::vector<std::int64_t>>("[1,\"2\"]"),
              "query: column \"stock\": expected integer array, found text that is not one");
}

TEST(Row, uuid_is_read_from_sixteen_bytes_and_from_text) {
    Uuid uuid;
    for (std::size_t i = 0; i < 16; ++i)
        uuid.bytes[i] = static_cast<std::byte>(i * 16);
    EXPECT_EQ(row_with(Bytes(uuid.bytes.begin(), uuid.bytes.end())).get<Uuid>(0), uuid);
    EXPECT_EQ(row_with("00102030-4050-6070-8090-a0b0c0d0e0f0").get<Uuid>(0), uuid);
}

struct Article {
    std::string id;
    std::int32_t stock = 0;
    std::optional<std::string> note;
    core::Sequence sequence;
    bool active = false;
};
BOOST_DESCRIBE_STRUCT(Article, (), (id, stock, note, sequence, active))

Row article_row(Value stock) {
    return row_of({"active", "note", "id", "stock", "sequence", "unused"}, {1, null, "A-1", std::move(stock), 9, 2.5});
}

TEST(RowAs, members_are_read_from_the_columns_of_their_names) {
    const auto article = row_as<Article>(article_row(5));
    EXPECT_EQ(article.id, "A-1");
    EXPECT_EQ(article.stock, 5);
    EXPECT_EQ(article.note, std::nullopt);
    EXPECT_EQ(article.sequence, core::Sequence{9});
    EXPECT_TRUE(article.active);
}

TEST(RowAs, a_number_beyond_the_member_is_refused) {
    EXPECT_EQ(query_error_of([] { static_cast<void>(row_as<Article>(article_row(std::int64_t{1} << 31))); }),
              "query: column \"stock\": 2147483648 does not fit the member of that name");
}

TEST(RowAs, a_wrong_type_names_the_column) {
    EXPECT_EQ(query_error_of([] { static_cast<void>(row_as<Article>(article_row("5"))); }),
              "query: column \"stock\": expected integer, found text");
}

TEST(RowAs, every_row_of_a_result_is_read) {
    Result result;
    result.rows.push_back(article_row(1));
    result.rows.push_back(article_row(2));
    const std::vector<Article> articles = rows_as<Article>(result);
    ASSERT_EQ(articles.size(), 2U);
    EXPECT_EQ(articles[1].stock, 2);
}

TEST(Value, names_its_kind) {
    EXPECT_EQ(Value(null).type_name(), "null");
    EXPECT_EQ(Value(true).type_name(), "bool");
    EXPECT_EQ(Value(3).type_name(), "integer");
    EXPECT_EQ(Value(Json{}).type_name(), "json");
    EXPECT_EQ(Value(std::vector<Bytes>{}).type_name(), "bytes array");
}

TEST(Value, bytes_and_text_turn_into_each_other) {
    EXPECT_EQ(as_text(to_bytes("a\0b")), "a");
    EXPECT_EQ(as_text(to_bytes(std::string_view("a\0b", 3))), std::string_view("a\0b", 3));
    EXPECT_TRUE(to_bytes("").empty());
}

}  // namespace
}  // namespace sluice::db
