#include "sluice/db/sqlite/internal/placeholders.hpp"

#include <cctype>
#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sluice::db::sqlite {
namespace {

std::string translated(std::string_view sql) {
    const auto result = translate_placeholders(sql);
    return result ? result->text : "refused: " + result.error();
}

TEST(Placeholders, become_sqlites_numbered_ones) {
    const auto result = translate_placeholders("select $2, $1 where a=$10");
    ASSERT_TRUE(result);
    EXPECT_EQ(result->text, "select ?2, ?1 where a=?10");
    EXPECT_EQ(result->placeholders, 10U);
}

TEST(Placeholders, in_their_natural_order_become_plain_ones) {
    EXPECT_EQ(translated("values ($1,$2),($1,$3)"), "values (?,?),(?1,?)");
    EXPECT_EQ(translated("$3,$4,$1,$5,$7,$8"), "?3,?,?1,?,?7,?");
}

TEST(Placeholders, in_strings_names_and_comments_stay) {
    for (const char* sql : {"select '$1'", "select 'it''s $1'", "select \"$1\"", "select \"a\"\"$1\"", "select [$1]",
                            "select `$1`", "-- $1\nselect 1", "select 1 -- $1", "/* $1 */ select 1",
                            "select a$1 from t", "select x'00' || '$1'", "select '$1", "/* $1", "select 'é$1'"}) {
        EXPECT_EQ(translated(sql), sql);
    }
}

TEST(Placeholders, after_strings_names_and_comments_are_translated) {
    EXPECT_EQ(translated("select '' || $1"), "select '' || ?");
    EXPECT_EQ(translated("select '$1'||$1"), "select '$1'||?");
    EXPECT_EQ(translated("/**/$1--\n$2"), "/**/?--\n?");
    EXPECT_EQ(translated("a-$1"), "a-?");
    EXPECT_EQ(translated("($1,$2)"), "(?,?)");
    EXPECT_EQ(translated("1e-$1"), "1e-?");
}

TEST(Placeholders, of_other_styles_and_numbers_are_refused) {
    for (const char* sql : {"select ?", "select ?1", "select :a", "select @a", "select $a", "select $1a", "select $0",
                            "select $250001", "select $99999999999999999999"}) {
        EXPECT_FALSE(translate_placeholders(sql)) << sql;
    }
    EXPECT_EQ(translated("select :name"), "refused: placeholder :name: write $1, $2, … on every database");
}

TEST(Placeholders, operators_that_look_like_them_stay) {
    EXPECT_EQ(translated("select a::text, b->>'$.x', c : d"), "select a::text, b->>'$.x', c : d");
}

/// A random statement made of pieces whose translation is known.
struct Composed {
    std::string sql;
    std::string expected;
    std::size_t highest = 0;
};

Composed compose(std::mt19937& random) {
    static const std::vector<std::string> inert{
        "select ", " from t ", "'$1'",    "'a''$2'", "\"$3\"", "[$4]", "`$5`", "/* $6 'x */", "-- $7 \"\n",
        " a$8b ",  " 1.5e+3 ", " x'ab' ", ", ",      " || ",   "(",    ")",    " é ",         " -> "};
    Composed made;
    const int pieces = std::uniform_int_distribution<int>(0, 30)(random);
    for (int i = 0; i < pieces; ++i) {
        if (std::uniform_int_distribution<int>(0, 2)(random) == 0) {
            const auto number = std::uniform_int_distribution<std::size_t>(1, 40)(random);
            made.sql += fmt::format(" ${} ", number);
            made.expected += number == made.highest + 1 ? std::string(" ? ") : fmt::format(" ?{} ", number);
            made.highest = std::max(made.highest, number);
        } else {
            const auto& piece = inert[std::uniform_int_distribution<std::size_t>(0, inert.size() - 1)(random)];
            made.sql += ' ' + piece;
            made.expected += ' ' + piece;
        }
    }
    return made;
}

TEST(Placeholders, random_statements_translate_piece_by_piece) {
    const auto seed = std::random_device{}();
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    for (int i = 0; i < 20'000; ++i) {
        const Composed made = compose(random);
        const auto result = translate_placeholders(made.sql);
        ASSERT_TRUE(result) << made.sql;
        ASSERT_EQ(result->text, made.expected);
        ASSERT_EQ(result->placeholders, made.highest);
    }
}

TEST(Placeholders, random_bytes_never_lose_or_move_a_byte_outside_placeholders) {
    const auto seed = std::random_device{}();
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const std::string alphabet = "$1'\"[]`-/*\n a?:@.ex\\\xc3";
    for (int i = 0; i < 50'000; ++i) {
        std::string sql;
        const int length = std::uniform_int_distribution<int>(0, 24)(random);
        for (int j = 0; j < length; ++j) {
            sql += alphabet[std::uniform_int_distribution<std::size_t>(0, alphabet.size() - 1)(random)];
        }
        const auto result = translate_placeholders(sql);
        if (!result) continue;
        // Only `$` and digits of a placeholder may have become `?` and perhaps its digits.
        std::size_t at = 0;
        for (const char c : result->text) {
            while (at < sql.size() && sql[at] != c && std::isdigit(static_cast<unsigned char>(sql[at])) != 0)
                ++at;
            const bool is_placeholder = c == '?' && at < sql.size() && sql[at] == '$';
            ASSERT_TRUE(is_placeholder || (at < sql.size() && sql[at] == c)) << sql << " became " << result->text;
            ++at;
        }
    }
}

}  // namespace
}  // namespace sluice::db::sqlite
