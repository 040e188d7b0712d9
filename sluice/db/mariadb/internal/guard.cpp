#include "sluice/db/mariadb/internal/guard.hpp"

#include <algorithm>
#include <array>

#include "sluice/core/mutant.hpp"
#include "sluice/db/internal/first_words.hpp"

namespace sluice::db::mariadb {
namespace {

using db::internal::FirstWords;
using db::internal::SqlScanner;
using db::internal::SqlToken;
using db::internal::SqlTokenKind;

constexpr std::array<std::string_view, 4> kEnders{"BEGIN", "START", "COMMIT", "XA"};
constexpr std::array<std::string_view, 23> kCommitting{
    "ALTER", "ANALYZE", "BACKUP",   "CACHE", "CHANGE",   "CHECK",     "CREATE", "DROP",
    "FLUSH", "GRANT",   "INSTALL",  "LOCK",  "OPTIMIZE", "PURGE",     "RENAME", "REPAIR",
    "RESET", "REVOKE",  "SHUTDOWN", "STOP",  "TRUNCATE", "UNINSTALL", "UNLOCK"};

/// MariaDB runs what stands in `/*! … */` and `/*M! … */`.
bool has_executable_comment(std::string_view sql) {
    SqlScanner scanner(sql);
    for (SqlToken token = scanner.next(); token.kind != SqlTokenKind::end; token = scanner.next()) {
        if (token.kind != SqlTokenKind::comment) continue;
        if (token.text.starts_with("/*!") || token.text.starts_with("/*M!")) return true;
    }
    return false;
}

bool sets_autocommit(std::string_view sql) {
    SqlScanner scanner(sql);
    for (SqlToken token = scanner.next(); token.kind != SqlTokenKind::end; token = scanner.next()) {
        std::string_view name = token.text;
        while (name.starts_with('@'))
            name.remove_prefix(1);
        if (FirstWords(name).next() == "AUTOCOMMIT") return true;
    }
    return false;
}

bool commits_first(const std::string& first, FirstWords& words) {
    if (std::ranges::find(kCommitting, first) == kCommitting.end()) return false;
    if (first != "CREATE" && first != "DROP") return true;
    std::string second = words.next();
    if (second == "OR" && words.next() == "REPLACE") second = words.next();
    return second != "TEMPORARY";
}

}  // namespace

std::optional<std::string> unit_refusal(std::string_view sql) {
    if (core::mutant("mariadb_units_run_ddl")) return std::nullopt;
    if (has_executable_comment(sql)) return "a comment that MariaDB executes (/*! … */) inside a unit of work";
    FirstWords words(sql);
    const std::string first = words.next();
    if (std::ranges::find(kEnders, first) != kEnders.end())
        return first + " inside a unit of work: it begins and ends by itself; use savepoint() to nest";
    if (first == "ROLLBACK" && !is_rollback_to(sql))
        return "ROLLBACK inside a unit of work: throw to roll it back, or use savepoint()";
    if (first == "SET" && sets_autocommit(sql)) return "SET autocommit inside a unit of work would commit it";
    if (commits_first(first, words)) {
        return first +
               " inside a unit of work: MariaDB would commit the unit first; run it on a connection of its own "
               "(DataSource::acquire), or as a migration";
    }
    return std::nullopt;
}

bool is_rollback_to(std::string_view sql) {
    FirstWords words(sql);
    if (words.next() != "ROLLBACK") return false;
    std::string second = words.next();
    if (second == "WORK") second = words.next();
    return second == "TO";
}

bool is_own_savepoint(const Statement& statement) {
    if (!statement.values.empty()) return false;
    for (std::string_view verb : {"SAVEPOINT ", "RELEASE SAVEPOINT ", "ROLLBACK TO SAVEPOINT "}) {
        std::string_view rest = statement.sql;
        if (!rest.starts_with(verb)) continue;
        rest.remove_prefix(verb.size());
        constexpr std::string_view kPrefix = "sluice_savepoint_";
        if (!rest.starts_with(kPrefix)) return false;
        rest.remove_prefix(kPrefix.size());
        return !rest.empty() && std::ranges::all_of(rest, [](char c) { return c >= '0' && c <= '9'; });
    }
    return false;
}

}  // namespace sluice::db::mariadb
