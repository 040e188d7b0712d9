#include "sluice/migrate/internal/statement_kind.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "sluice/migrate/internal/words.hpp"

namespace sluice::migrate::internal {
namespace {

using Words = std::vector<Word>;

/// As many as tell what a statement is.
constexpr std::size_t kHead = 48;

bool has(const Words& words, std::string_view upper) {
    return std::ranges::find(words, upper, &Word::upper) != words.end();
}

bool is_at(const Words& words, std::size_t at, std::string_view upper) {
    return at < words.size() && words[at].upper == upper;
}

/// Where CONCURRENTLY stands in `CREATE [UNIQUE] INDEX CONCURRENTLY`; 0: another statement.
std::size_t concurrently_of_index(const Words& words) {
    if (!is_at(words, 0, "CREATE")) return 0;
    const std::size_t index = is_at(words, 1, "UNIQUE") ? 2 : 1;
    return is_at(words, index, "INDEX") && is_at(words, index + 1, "CONCURRENTLY") ? index + 1 : 0;
}

bool alter_refuses_transaction(const Words& words) {
    if (is_at(words, 1, "SYSTEM") || is_at(words, 1, "SUBSCRIPTION")) return true;
    if (is_at(words, 1, "DATABASE")) return has(words, "TABLESPACE");
    return is_at(words, 1, "TABLE") && has(words, "DETACH") && has(words, "CONCURRENTLY");
}

bool postgres_refuses_transaction(const Words& words) {
    constexpr std::array<std::string_view, 3> kWholeServer{"DATABASE", "TABLESPACE", "SUBSCRIPTION"};
    if (words.empty()) return false;
    const std::string& first = words[0].upper;
    if (first == "VACUUM") return true;
    if (first == "ALTER") return alter_refuses_transaction(words);
    if (first == "CLUSTER") return words.size() == 1;
    if (first == "REINDEX")
        return has(words, "CONCURRENTLY") || has(words, "SCHEMA") || has(words, "DATABASE") || has(words, "SYSTEM");
    if (first != "CREATE" && first != "DROP") return false;
    if (words.size() > 1 && std::ranges::find(kWholeServer, words[1].upper) != kWholeServer.end()) return true;
    return concurrently_of_index(words) > 0 ||
           (first == "DROP" && is_at(words, 1, "INDEX") && is_at(words, 2, "CONCURRENTLY"));
}

bool mariadb_keeps_transaction(const Words& words) {
    constexpr std::array<std::string_view, 8> kKeep{"INSERT", "UPDATE", "DELETE", "REPLACE",
                                                    "SELECT", "WITH",   "DO",     "VALUES"};
    return !words.empty() && std::ranges::find(kKeep, words[0].upper) != kKeep.end();
}

}  // namespace

bool runs_alone(std::string_view sql, db::Dialect dialect) {
    if (dialect == db::Dialect::sqlite) return false;
    const Words words = first_words(sql, dialect, kHead);
    return dialect == db::Dialect::postgres ? postgres_refuses_transaction(words) : !mariadb_keeps_transaction(words);
}

std::optional<std::string> refusal_of(std::string_view sql) {
    constexpr std::array<std::string_view, 8> kTransaction{"START",     "COMMIT",  "ROLLBACK", "XA",
                                                           "SAVEPOINT", "RELEASE", "LOCK",     "UNLOCK"};
    const Words words = first_words(sql, db::Dialect::mariadb, 2);
    if (words.empty()) return std::nullopt;
    const std::string& first = words[0].upper;
    const bool compound = first == "BEGIN" && is_at(words, 1, "NOT");  // BEGIN NOT ATOMIC … END
    if (std::ranges::find(kTransaction, first) != kTransaction.end() || (first == "BEGIN" && !compound))
        return first + " has no place in a migration: each statement is a transaction of its own";
    if (first == "USE") return "USE would change the connection's database; name it before the table";
    if (first == "SET" && !is_at(words, 1, "STATEMENT"))
        return "SET would stay with the connection; write SET STATEMENT … FOR …";
    return std::nullopt;
}

bool runs_stepwise(const Migration& migration, db::Dialect dialect) {
    if (dialect == db::Dialect::mariadb) return true;
    return std::ranges::any_of(migration.statements.at(dialect),
                               [dialect](const std::string& sql) { return runs_alone(sql, dialect); });
}

std::optional<std::string> concurrent_index(std::string_view sql) {
    const Words words = first_words(sql, db::Dialect::postgres, kHead);
    std::size_t at = concurrently_of_index(words);
    if (at == 0) return std::nullopt;
    ++at;
    if (is_at(words, at, "IF")) at += 3;  // IF NOT EXISTS
    if (at >= words.size() || words[at].upper == "ON") return std::string();
    std::string name(words[at].text);
    at += 2;  // past ON
    if (is_at(words, at, "ONLY")) ++at;
    // An index lives in the schema of its table.
    if (is_at(words, at + 1, ".")) name = std::string(words[at].text) + "." + name;
    return name;
}

}  // namespace sluice::migrate::internal
