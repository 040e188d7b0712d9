#include "cli/judgement.hpp"

#include <algorithm>

#include <gtest/gtest.h>

namespace sluice::cli {
namespace {

PostgresFacts sound() {
    return {.version = 150'014,
            .version_text = "15.14",
            .may_create = true,
            .schema = "public",
            .encoding = "UTF8",
            .fsync = "on",
            .synchronous_commit = "on",
            .connections = 5,
            .most_connections = 100};
}

const Finding& finding(const std::vector<Finding>& findings, std::string_view check) {
    return *std::ranges::find(findings, check, &Finding::check);
}

/// The verdict on `check` after `change`, and that on all other checks is ok.
Verdict verdict_after(void (*change)(PostgresFacts&), std::string_view check) {
    PostgresFacts facts = sound();
    change(facts);
    const auto findings = judge(facts, Pooler::none_seen);
    for (const Finding& other : findings)
        EXPECT_TRUE(other.check == check || other.verdict == Verdict::ok) << other.check << ": " << other.text;
    return finding(findings, check).verdict;
}

TEST(judgement, a_sound_postgres_has_nothing_to_say) {
    for (const Finding& found : judge(sound(), Pooler::none_seen))
        EXPECT_EQ(found.verdict, Verdict::ok) << found.check << ": " << found.text;
}

TEST(judgement, each_weakness_of_a_postgres_has_one_finding) {
    EXPECT_EQ(verdict_after([](PostgresFacts& f) { f.version = 140'009; }, "version"), Verdict::error);
    EXPECT_EQ(verdict_after([](PostgresFacts& f) { f.replica = true; }, "role"), Verdict::warning);
    EXPECT_EQ(verdict_after([](PostgresFacts& f) { f.read_only = true; }, "role"), Verdict::error);
    EXPECT_EQ(verdict_after([](PostgresFacts& f) { f.superuser = true; }, "user"), Verdict::warning);
    EXPECT_EQ(verdict_after([](PostgresFacts& f) { f.bypasses_row_security = true; }, "user"), Verdict::warning);
    EXPECT_EQ(verdict_after([](PostgresFacts& f) { f.owned_tables = 3; }, "user"), Verdict::warning);
    EXPECT_EQ(verdict_after([](PostgresFacts& f) { f.may_create = false; }, "schema"), Verdict::warning);
    EXPECT_EQ(verdict_after([](PostgresFacts& f) { f.schema.clear(); }, "schema"), Verdict::error);
    EXPECT_EQ(verdict_after([](PostgresFacts& f) { f.encoding = "LATIN1"; }, "encoding"), Verdict::error);
    EXPECT_EQ(verdict_after([](PostgresFacts& f) { f.fsync = "off"; }, "durability"), Verdict::error);
    EXPECT_EQ(verdict_after([](PostgresFacts& f) { f.synchronous_commit = "off"; }, "durability"), Verdict::warning);
    EXPECT_EQ(verdict_after([](PostgresFacts& f) { f.connections = 80; }, "connections"), Verdict::warning);
    EXPECT_EQ(finding(judge(sound(), Pooler::transaction), "pooler").verdict, Verdict::warning);
}

TEST(judgement, mariadb_before_atomic_ddl_is_refused) {
    MariadbFacts facts{.version_text = "10.11.14-MariaDB-0+deb12u2",
                       .charset = "utf8mb4",
                       .binlog = true,
                       .binlog_format = "MIXED",
                       .trusts_triggers = true,
                       .strict = true,
                       .connections = 1,
                       .most_connections = 151};
    for (const Finding& found : judge(facts))
        EXPECT_EQ(found.verdict, Verdict::ok) << found.check << ": " << found.text;
    for (const char* const version : {"10.5.8-MariaDB", "8.0.36", "", "MariaDB"}) {
        facts.version_text = version;
        EXPECT_EQ(finding(judge(facts), "version").verdict, Verdict::error) << version;
    }
    facts.version_text = "11.4.2-MariaDB";
    EXPECT_EQ(finding(judge(facts), "version").verdict, Verdict::ok);
}

TEST(judgement, a_binlog_of_mariadb_that_the_outbox_cannot_write_through_is_told) {
    MariadbFacts facts{.binlog = true, .binlog_format = "ROW", .trusts_triggers = true};
    EXPECT_EQ(finding(judge(facts), "binlog").verdict, Verdict::ok);
    facts.trusts_triggers = false;
    EXPECT_EQ(finding(judge(facts), "binlog").verdict, Verdict::warning);
    facts.superuser = true;
    EXPECT_EQ(finding(judge(facts), "binlog").verdict, Verdict::ok);
    facts.binlog_format = "STATEMENT";
    EXPECT_EQ(finding(judge(facts), "binlog").verdict, Verdict::error);
    facts.binlog = false;
    EXPECT_EQ(finding(judge(facts), "binlog").verdict, Verdict::warning);
}

TEST(judgement, a_sqlite_file_without_wal_is_an_error) {
    EXPECT_EQ(finding(judge(SqliteFacts{"3.40.1", "wal", 4'096}), "journal").verdict, Verdict::ok);
    EXPECT_EQ(finding(judge(SqliteFacts{"3.40.1", "delete", 4'096}), "journal").verdict, Verdict::error);
}

}  // namespace
}  // namespace sluice::cli
