#include "cli/judgement.hpp"

#include <charconv>
#include <utility>

#include <fmt/format.h>

namespace sluice::cli {
namespace {

constexpr std::int64_t kOldestPostgres = 150'000;
constexpr std::int64_t kPerCent = 100;
constexpr std::int64_t kCrowded = 80;  // per cent of the server's connections

Finding ok(std::string check, std::string text) {
    return {std::move(check), Verdict::ok, std::move(text)};
}

Finding warning(std::string check, std::string text) {
    return {std::move(check), Verdict::warning, std::move(text)};
}

Finding error(std::string check, std::string text) {
    return {std::move(check), Verdict::error, std::move(text)};
}

Finding connections_of(std::int64_t used, std::int64_t most) {
    const std::string text = fmt::format("{} of {} connections are in use", used, most);
    if (used * kPerCent < most * kCrowded) return ok("connections", text);
    return warning(
        "connections",
        text + "; the pools of all programs together must stay below: lower pool.max or put a pooler between");
}

Finding postgres_role(const PostgresFacts& facts) {
    if (facts.replica) return warning("role", "this is a replica: writes and migrations are refused here");
    if (facts.read_only)
        return error("role", "the primary, but default_transaction_read_only is on: every write fails");
    return ok("role", "primary");
}

Finding postgres_user(const PostgresFacts& facts) {
    if (facts.superuser)
        return warning("user",
                       "is a superuser: row security does not hold for it, and a mistake can reach every database; "
                       "run the application as a role of its own");
    if (facts.bypasses_row_security)
        return warning("user",
                       "has BYPASSRLS: row security does not hold for it; take it away from the application's role");
    if (facts.owned_tables > 0)
        return warning("user",
                       fmt::format("owns {} tables: their row security does not hold for it, and it can drop them; "
                                   "right for migrations, not for the application",
                                   facts.owned_tables));
    return ok("user", "neither superuser nor the owner of tables");
}

Finding postgres_schema(const PostgresFacts& facts) {
    if (facts.schema.empty())
        return error("schema", "no schema of the search path exists: create one or set search_path");
    if (facts.may_create) return ok("schema", fmt::format("may make tables in '{}'", facts.schema));
    return warning("schema", fmt::format("may not make tables in '{}': migrations need another user", facts.schema));
}

Finding postgres_durability(const PostgresFacts& facts) {
    if (facts.fsync != "on")
        return error("durability", "fsync is off: a power cut loses or breaks what was acknowledged");
    if (facts.synchronous_commit == "off")
        return warning("durability",
                       "synchronous_commit is off: a crash loses the last commits that were acknowledged");
    return ok("durability", fmt::format("fsync is on, synchronous_commit is {}", facts.synchronous_commit));
}

Finding mariadb_binlog(const MariadbFacts& facts) {
    if (!facts.binlog)
        return warning("binlog", "off: reads after a write go to the primary, for want of a position to wait for");
    if (facts.binlog_format == "STATEMENT")
        return error("binlog",
                     "on, by statements: a unit that reads committed rows cannot write; set binlog_format to ROW or "
                     "MIXED");
    if (!facts.superuser && !facts.trusts_triggers)
        return warning("binlog",
                       "on: this user may make no trigger, and the outbox's tables have one; set "
                       "log_bin_trust_function_creators = 1, or migrate as another user");
    return ok("binlog", fmt::format("on, {}", facts.binlog_format));
}

/// 1011 of "10.11.14-MariaDB-…"; 0 when it does not begin so.
int mariadb_release(std::string_view text) {
    int major = 0;
    int minor = 0;
    const char* const end = text.data() + text.size();
    const auto first = std::from_chars(text.data(), end, major);
    if (first.ec != std::errc() || first.ptr == end || *first.ptr != '.') return 0;
    if (std::from_chars(first.ptr + 1, end, minor).ec != std::errc()) return 0;
    return major * 100 + minor;
}

}  // namespace

std::vector<Finding> judge(const PostgresFacts& facts, Pooler pooler) {
    std::vector<Finding> findings;
    findings.push_back(facts.version >= kOldestPostgres
                           ? ok("version", "PostgreSQL " + facts.version_text)
                           : error("version", fmt::format("PostgreSQL {}: 15 or newer is needed", facts.version_text)));
    findings.push_back(postgres_role(facts));
    findings.push_back(postgres_user(facts));
    findings.push_back(postgres_schema(facts));
    findings.push_back(facts.encoding == "UTF8" ? ok("encoding", "UTF8")
                                                : error("encoding", fmt::format("{}: text is UTF-8; make the database "
                                                                                "with encoding UTF8",
                                                                                facts.encoding)));
    findings.push_back(postgres_durability(facts));
    findings.push_back(connections_of(facts.connections, facts.most_connections));
    findings.push_back(pooler == Pooler::none_seen
                           ? ok("pooler", "no pooler in transaction mode between")
                           : warning("pooler",
                                     "a pooler in transaction mode is between: open the source with "
                                     "statement_cache = 0; LISTEN needs a direct connection"));
    return findings;
}

std::vector<Finding> judge(const MariadbFacts& facts) {
    constexpr int kOldest = 1006;
    std::vector<Finding> findings;
    findings.push_back(mariadb_release(facts.version_text) >= kOldest
                           ? ok("version", "MariaDB " + facts.version_text)
                           : error("version", fmt::format("{}: MariaDB 10.6 or newer is needed", facts.version_text)));
    findings.push_back(facts.read_only ? warning("role", "read_only is on: writes and migrations are refused here")
                                       : ok("role", "primary"));
    findings.push_back(facts.superuser
                           ? warning("user",
                                     "has SUPER: read_only does not hold for it, and a mistake can reach every "
                                     "database; run the application as a user of its own")
                           : ok("user", "has no SUPER"));
    findings.push_back(facts.charset == "utf8mb4"
                           ? ok("encoding", "utf8mb4")
                           : error("encoding", fmt::format("{}: text is UTF-8; make the database "
                                                           "with character set utf8mb4",
                                                           facts.charset)));
    findings.push_back(
        facts.flush_at_commit == 1
            ? ok("durability", "innodb_flush_log_at_trx_commit is 1")
            : warning("durability", fmt::format("innodb_flush_log_at_trx_commit is {}: a crash loses the "
                                                "last commits that were acknowledged",
                                                facts.flush_at_commit)));
    findings.push_back(facts.strict ? ok("sql_mode", "strict")
                                    : warning("sql_mode",
                                              "not strict unless a session says so, as Sluice's do: other programs' "
                                              "values that do not fit are cut off in silence"));
    findings.push_back(mariadb_binlog(facts));
    findings.push_back(connections_of(facts.connections, facts.most_connections));
    return findings;
}

std::vector<Finding> judge(const SqliteFacts& facts) {
    std::vector<Finding> findings;
    findings.push_back(ok("version", "SQLite " + facts.version_text));
    findings.push_back(facts.journal == "wal"
                           ? ok("journal", "WAL")
                           : error("journal", fmt::format("{}: readers would wait for the writer; the "
                                                          "file system may not know WAL's locks",
                                                          facts.journal)));
    findings.push_back(ok("size", fmt::format("{} bytes", facts.bytes)));
    return findings;
}

}  // namespace sluice::cli
