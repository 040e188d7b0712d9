#include "sluice/testing/error_page.hpp"

#include <gtest/gtest.h>

namespace sluice::testing {
namespace {

constexpr std::string_view kPage =
    "# Errors\n\n## one::Error\nWords.\n\n| kind | example | cause |\n|---|---|---|\n| `gone` | `it is gone` | time |\n"
    "| `query` | `` shop: query: no … in `select …` `` | a | b |\n\n## two::Error\n| `gone` | `other` | x |\n";

TEST(error_page, the_examples_of_a_section_are_read_by_kind) {
    const auto examples = error_examples(kPage, "one::Error");

    EXPECT_EQ(examples.size(), 2U);
    EXPECT_EQ(examples.at("gone"), "it is gone");
    EXPECT_EQ(examples.at("query"), "shop: query: no … in `select …`");
    EXPECT_TRUE(error_examples(kPage, "three::Error").empty());
}

TEST(error_page, a_heading_of_any_level_begins_a_section) {
    const auto rows = error_examples("# A\n### Of b\n| text | cause |\n|---|---|\n| `b: it …` | c | d |\n", "Of b");
    EXPECT_EQ(rows.size(), 1U);
    EXPECT_EQ(rows.begin()->first, "b: it …");
    EXPECT_NE(error_row_complaint("Of nothing", "b: it is"), "");
}

TEST(error_page, an_ellipsis_stands_for_anything) {
    EXPECT_TRUE(shows("a … c … e", "a b c d e"));
    EXPECT_TRUE(shows("…", ""));
    EXPECT_FALSE(shows("a … c", "a b d"));
    EXPECT_FALSE(shows("abc", "abcd"));
}

TEST(error_page, pages_are_found_from_below_the_project) {
    EXPECT_NE(docs_page("errors.md").find("# Errors"), std::string::npos);
    EXPECT_THROW((void)docs_page("no such page.md"), std::runtime_error);
}

}  // namespace
}  // namespace sluice::testing
