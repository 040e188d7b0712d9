#include "sluice/migrate/internal/split.hpp"

#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sluice/core/random.hpp"

namespace sluice::migrate::internal {
namespace {

using db::Dialect;
using Statements = std::vector<std::string>;

Statements split(std::string_view sql, Dialect dialect = Dialect::sqlite) {
    auto statements = split_statements(sql, dialect);
    if (statements) return std::move(*statements);
    return {fmt::format("line {}: {}", statements.error().line, statements.error().reason)};
}

TEST(split, semicolons_end_statements_and_the_last_needs_none) {
    EXPECT_EQ(split("create table a(x); create table b(x)"), (Statements{"create table a(x)", "create table b(x)"}));
    EXPECT_EQ(split(" \n ;; select 1 ;\n; "), Statements{"select 1"});
    EXPECT_EQ(split(""), Statements{});
}

TEST(split, semicolons_in_strings_names_and_comments_do_not_count) {
    EXPECT_EQ(split("insert into a values ('x;''y;'); select \"a;b\", `c;d`, [e;f]"),
              (Statements{"insert into a values ('x;''y;')", "select \"a;b\", `c;d`, [e;f]"}));
    EXPECT_EQ(split("select 1 -- one; two\n, 2; /* three; */ select 3"),
              (Statements{"select 1 -- one; two\n, 2", "select 3"}));
    EXPECT_EQ(split("-- nothing; here\n/* nor; here */"), Statements{});
    EXPECT_EQ(split("select '--'; select '/*'"), (Statements{"select '--'", "select '/*'"}));
}

TEST(split, a_trigger_is_one_statement_whatever_its_body_holds) {
    const std::string trigger =
        "CREATE TRIGGER t AFTER INSERT ON a BEGIN\n  UPDATE b SET x = CASE WHEN new.x > 1 THEN 1 ELSE 2 END;\n"
        "  INSERT INTO c VALUES ('; END;'); -- ; END;\nEND";
    EXPECT_EQ(split(trigger + "; select 1;"), (Statements{trigger, "select 1"}));
    EXPECT_EQ(split("create temp trigger t after insert on a begin select 1; end"),
              Statements{"create temp trigger t after insert on a begin select 1; end"});
    EXPECT_EQ(split("create table trigger_log(x); select 2"), (Statements{"create table trigger_log(x)", "select 2"}));
    EXPECT_EQ(split("begin; end; select 1"), (Statements{"begin", "end", "select 1"}));
}

TEST(split, what_does_not_end_is_an_error_with_its_line) {
    EXPECT_EQ(split("select 1;\nselect 'x"), Statements{"line 2: a quote that is not closed"});
    EXPECT_EQ(split("\n\n/* x"), Statements{"line 3: a comment without */"});
    EXPECT_EQ(split("create trigger t after insert on a begin select 1;"),
              Statements{"line 1: a trigger without END;"});
    EXPECT_EQ(split("select $x$ a", Dialect::postgres), Statements{"line 1: a dollar quote that is not closed"});
}

TEST(split, line_ends_and_a_byte_order_mark_make_no_difference) {
    EXPECT_EQ(split("\xEF\xBB\xBFselect 1,\r\n2;\r\nselect 3\r\n"), (Statements{"select 1,\n2", "select 3"}));
}

TEST(split, each_dialect_quotes_in_its_own_way) {
    EXPECT_EQ(split("create function f() as $$ begin; end; $$; select $1", Dialect::postgres),
              (Statements{"create function f() as $$ begin; end; $$", "select $1"}));
    EXPECT_EQ(split("do $a$ x; $$ y; $a$; select 1", Dialect::postgres),
              (Statements{"do $a$ x; $$ y; $a$", "select 1"}));
    EXPECT_EQ(split("create trigger t after insert on a execute function f(); select 1", Dialect::postgres),
              (Statements{"create trigger t after insert on a execute function f()", "select 1"}));
    EXPECT_EQ(split("select 'it\\'; # two; three\nselect 2", Dialect::mariadb),
              (Statements{"select 'it\\'", "select 2"}));
    EXPECT_EQ(split("select 'a\\'; select 2"), (Statements{"select 'a\\'", "select 2"}));
}

TEST(split, mariadb_bodies_end_where_their_delimiter_says) {
    const std::string body = "create procedure p() begin\n  if 1 then select ';'; end if;\n  begin select 2; end;\nend";
    EXPECT_EQ(split("select 1;\nDELIMITER //\n" + body + "//\ndelimiter ;\nselect 3;", Dialect::mariadb),
              (Statements{"select 1", body, "select 3"}));
    EXPECT_EQ(split("delimiter $$ \r\n" + body + " $$", Dialect::mariadb), Statements{body});
    EXPECT_EQ(split("DELIMITER\nselect 1", Dialect::mariadb), Statements{"line 1: DELIMITER without one"});
    EXPECT_EQ(split("delimiter_table; select 1", Dialect::mariadb), (Statements{"delimiter_table", "select 1"}));
}

TEST(split, mariadb_runs_some_comments_and_wants_a_blank_behind_two_dashes) {
    EXPECT_EQ(split("/*!40101 set x = 1 */; /* no */ select 5--1;", Dialect::mariadb),
              (Statements{"/*!40101 set x = 1 */", "select 5--1"}));
    EXPECT_EQ(split("select 1 -- ; one\n, 2; --\n", Dialect::mariadb), Statements{"select 1 -- ; one\n, 2"});
}

/// Statements put together at random come apart again as they were.
TEST(split, takes_apart_what_was_put_together) {
    const std::uint64_t seed = std::random_device{}();
    SCOPED_TRACE(fmt::format("seed {}", seed));
    core::Random random(seed);
    const Statements parts{"select 1",
                           "insert into a values ('x;y', 'it''s')",
                           "create table \"odd;name\"(x)",
                           "create trigger t after insert on a begin select ';'; select case when 1 then 2 end; end",
                           "select /* ; */ 1 -- ;\n + 2",
                           "delete from [b;c]"};
    const Statements between{";", " ; ", ";\n-- comment; here\n", "; /* ; ' */ ;", ";\r\n"};
    for (int round = 0; round < 5'000; ++round) {
        Statements wanted;
        std::string sql;
        for (std::uint64_t i = random.below(6) + 1; i > 0; --i) {
            wanted.push_back(parts[random.below(parts.size())]);
            sql += wanted.back() + between[random.below(between.size())];
        }
        ASSERT_EQ(split(sql), wanted) << sql;
    }
}

}  // namespace
}  // namespace sluice::migrate::internal
