#include "sluice/migrate/internal/plan.hpp"

#include <gtest/gtest.h>

namespace sluice::migrate::internal {
namespace {

using db::Dialect;

Migration step(int version, std::string sql) {
    return {"shop", version, "step" + std::to_string(version), {{Dialect::sqlite, {std::move(sql)}}}};
}

std::vector<Migration> three() {
    return {step(1, "a"), step(2, "b"), step(3, "c")};
}

Applied row(const Migration& migration) {
    return {migration.module, migration.version, migration.name, checksum_of(migration, Dialect::sqlite)};
}

std::string complaint(const std::vector<Migration>& migrations, const std::vector<Applied>& ledger) {
    const auto plan = make_plan(migrations, ledger, Dialect::sqlite);
    return plan ? "" : plan.error();
}

TEST(plan, what_the_ledger_lacks_at_its_end_is_pending) {
    const auto all = three();

    const auto plan = make_plan(all, {row(all[0]), row(all[1])}, Dialect::sqlite);

    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->at(0).state, StepState::applied_before);
    EXPECT_EQ(plan->at(1).state, StepState::applied_before);
    EXPECT_EQ(plan->at(2).state, StepState::pending);
}

TEST(plan, a_changed_text_is_refused_by_name) {
    auto all = three();
    const std::vector<Applied> ledger{row(all[0])};
    all[0].statements[Dialect::sqlite] = {"other"};

    EXPECT_EQ(
        complaint(all, ledger),
        "migration shop 0001 step1 was changed after it had been applied; restore its text and put the change into a "
        "new version");
}

TEST(plan, a_gap_in_the_ledger_is_refused) {
    const auto all = three();

    EXPECT_NE(complaint(all, {row(all[0]), row(all[2])}).find("misses shop 0002 step2"), std::string::npos);
}

TEST(plan, a_database_newer_than_the_program_is_refused) {
    const auto all = three();
    const std::vector<Migration> older{all[0]};

    EXPECT_EQ(complaint(older, {row(all[0]), row(all[1])}),
              "module 'shop' of the database is at version 2, this program knows 1; start the newer program");
}

TEST(plan, modules_of_other_programs_are_passed_over) {
    const Applied foreign{"billing", 9, "theirs", "x"};

    EXPECT_EQ(complaint(three(), {foreign}), "");
}

TEST(plan, a_dialect_without_statements_is_refused) {
    const auto plan = make_plan(three(), {}, Dialect::postgres);

    ASSERT_FALSE(plan);
    EXPECT_NE(plan.error().find("no statements for this database"), std::string::npos);
}

TEST(plan, moving_text_between_statements_changes_the_checksum) {
    Migration one{"m", 1, "n", {{Dialect::sqlite, {"ab", "c"}}}};
    Migration other{"m", 1, "n", {{Dialect::sqlite, {"a", "bc"}}}};

    EXPECT_NE(checksum_of(one, Dialect::sqlite), checksum_of(other, Dialect::sqlite));
    EXPECT_EQ(checksum_of(one, Dialect::sqlite).size(), 64u);
}

TEST(plan, versions_count_from_one_without_gaps_per_module) {
    EXPECT_TRUE(check_versions(three()));
    EXPECT_FALSE(check_versions({step(2, "b")}));
    EXPECT_FALSE(check_versions({step(1, "a"), step(1, "a")}));
    EXPECT_FALSE(check_versions({step(1, "a"), step(3, "c")}));
}

}  // namespace
}  // namespace sluice::migrate::internal
