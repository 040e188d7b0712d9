#include "sluice/db/internal/fingerprint.hpp"

#include <gtest/gtest.h>

namespace sluice::db::internal {
namespace {

TEST(Fingerprint, replaces_literals_and_keeps_names_and_placeholders) {
    EXPECT_EQ(fingerprint("select t1.a, $2 from \"t 1\" where b = 'it''s' and c > 1.5e-3 and d = x'00'"),
              "select t1.a, $2 from \"t 1\" where b = ? and c > ? and d = ?");
}

TEST(Fingerprint, folds_white_space_and_drops_comments) {
    EXPECT_EQ(fingerprint("  select\n\t1 -- one 'x'\n from /* y */ t  "), "select ? from t");
}

TEST(Fingerprint, of_the_same_statement_with_other_literals_is_the_same) {
    EXPECT_EQ(fingerprint("delete from t where id = 17"), fingerprint("delete  from t where id = 0x2F"));
}

TEST(Fingerprint, is_cut_between_characters) {
    const std::string text = fingerprint("select \"" + std::string(300, 'a') + "ä\"");
    EXPECT_EQ(text.size(), 203U);
    std::string umlauts = "select ";
    for (int i = 0; i < 200; ++i)
        umlauts += "ä";
    const std::string cut = fingerprint(umlauts);
    EXPECT_TRUE(cut.ends_with("ä...")) << cut;
}

TEST(Fingerprint, of_an_unterminated_string_shows_nothing_of_it) {
    EXPECT_EQ(fingerprint("select 'secret"), "select ?");
}

}  // namespace
}  // namespace sluice::db::internal
