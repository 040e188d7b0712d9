#include "sluice/migrate/folder.hpp"

#include <fstream>

#include <gtest/gtest.h>

#include "sluice/db/error.hpp"
#include "sluice/testing/temp_folder.hpp"

namespace sluice::migrate {
namespace {

using db::Dialect;

struct MigrationFolder : ::testing::Test {
    void write(const std::string& name, const std::string& text) { std::ofstream(folder.file(name)) << text; }
    std::vector<Migration> read() { return read_folder("shop", folder.path()); }
    /// The text of the refusal, which must be a `config` error.
    std::string refusal() {
        try {
            (void)read();
        } catch (const db::Error& e) {
            EXPECT_EQ(e.kind(), db::ErrorKind::config);
            return e.what();
        }
        return "accepted";
    }
    void expect_refusal(const std::string& part) {
        const std::string text = refusal();
        EXPECT_NE(text.find(part), std::string::npos) << text;
    }

    sluice::testing::TempFolder folder;
};

TEST_F(MigrationFolder, files_become_steps_in_the_order_of_their_versions) {
    write("0002_prices.sql", "alter table article add price; update article set price = 0;");
    write("0001_articles.sql", "create table article(id)");
    write("0010_x.txt", "not SQL");
    write("README.md", "about");

    const auto migrations = read();

    ASSERT_EQ(migrations.size(), 2u);
    EXPECT_EQ(migrations[0].module, "shop");
    EXPECT_EQ(migrations[0].version, 1);
    EXPECT_EQ(migrations[0].name, "articles");
    EXPECT_EQ(migrations[1].statements.at(Dialect::sqlite),
              (std::vector<std::string>{"alter table article add price", "update article set price = 0"}));
}

TEST_F(MigrationFolder, a_dialect_with_a_file_of_its_own_does_not_take_the_plain_one) {
    write("1_a.sql", "create table a(x)");
    write("1_a.postgres.sql", "create table a(x int)");

    const auto migrations = read();

    ASSERT_EQ(migrations.size(), 1u);
    EXPECT_EQ(migrations[0].statements.at(Dialect::sqlite), std::vector<std::string>{"create table a(x)"});
    EXPECT_EQ(migrations[0].statements.at(Dialect::mariadb), std::vector<std::string>{"create table a(x)"});
    EXPECT_EQ(migrations[0].statements.at(Dialect::postgres), std::vector<std::string>{"create table a(x int)"});
}

TEST_F(MigrationFolder, a_step_may_be_for_one_dialect_only) {
    write("1_a.sqlite.sql", "create table a(x)");
    EXPECT_FALSE(read()[0].statements.contains(Dialect::postgres));
}

TEST_F(MigrationFolder, what_cannot_be_meant_is_refused_with_the_files_name) {
    write("articles.sql", "create table a(x)");
    expect_refusal("articles.sql: name it <version>_<name>.sql");
}

TEST_F(MigrationFolder, an_unknown_dialect_is_refused) {
    write("1_a.oracle.sql", "create table a(x)");
    expect_refusal("1_a.oracle.sql: name it");
}

TEST_F(MigrationFolder, a_missing_version_is_refused) {
    write("1_a.sql", "create table a(x)");
    write("3_c.sql", "create table c(x)");
    expect_refusal("version 3 follows 1");
}

TEST_F(MigrationFolder, one_version_with_two_names_is_refused) {
    write("1_a.sql", "create table a(x)");
    write("1_b.sqlite.sql", "create table b(x)");
    expect_refusal("version 1 is also called");
}

TEST_F(MigrationFolder, one_version_spelt_twice_is_refused) {
    write("1_a.sql", "create table a(x)");
    write("01_a.sql", "create table b(x)");
    expect_refusal("version 1 is also");
}

TEST_F(MigrationFolder, one_version_spelt_twice_for_a_dialect_is_refused) {
    write("1_a.sqlite.sql", "create table a(x)");
    write("01_a.sqlite.sql", "create table b(x)");
    expect_refusal("another file for this dialect");
}

TEST_F(MigrationFolder, a_file_without_statements_is_refused) {
    write("1_a.sql", "-- later\n");
    expect_refusal("1_a.sql: holds no statement");
}

TEST_F(MigrationFolder, sql_that_does_not_end_is_refused_with_its_line) {
    write("1_a.sql", "create table a(x);\ninsert into a values ('x);\n");
    expect_refusal("1_a.sql: line 2: a quote that is not closed");
}

TEST_F(MigrationFolder, a_file_beyond_the_limit_is_refused) {
    write("1_a.sql", "select 1" + std::string(std::size_t{4} << 20, ' '));
    expect_refusal("split it");
}

TEST(MigrationFolders, that_are_not_there_are_refused) {
    sluice::testing::TempFolder folder;
    EXPECT_THROW((void)read_folder("shop", folder.path() / "nowhere"), db::Error);
}

}  // namespace
}  // namespace sluice::migrate
