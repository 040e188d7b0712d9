#include "sluice/outbox/internal/sql.hpp"

#include <fmt/format.h>

namespace sluice::outbox::sql {
namespace {

void replace_all(std::string& text, std::string_view what, std::string_view by) {
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
        text.replace(at, what.size(), by);
}

/// `{on conflict a, b update}` and `{new c}`, in whose place the text says what it names.
void replace_conflicts(std::string& text, bool mariadb) {
    constexpr std::string_view kConflict = "{on conflict ";
    constexpr std::string_view kUpdate = " update}";
    if (const std::size_t at = text.find(kConflict); at != std::string::npos) {
        const std::size_t end = text.find(kUpdate, at);
        const std::string key = text.substr(at + kConflict.size(), end - at - kConflict.size());
        text.replace(at, end + kUpdate.size() - at,
                     mariadb ? "on duplicate key update" : fmt::format("on conflict({}) do update set", key));
    }
    constexpr std::string_view kNew = "{new ";
    for (std::size_t at = text.find(kNew); at != std::string::npos; at = text.find(kNew, at)) {
        const std::size_t end = text.find('}', at);
        const std::string column = text.substr(at + kNew.size(), end - at - kNew.size());
        text.replace(at, end + 1 - at, mariadb ? fmt::format("values({})", column) : "excluded." + column);
    }
}

std::string_view now_of(db::Dialect dialect) {
    switch (dialect) {
        case db::Dialect::sqlite:
            return kSqliteNow;
        case db::Dialect::postgres:
            return kPostgresNow;
        case db::Dialect::mariadb:
            break;
    }
    return kMariadbNow;
}

constexpr std::string_view kMariadbName = "varchar(255) character set ascii collate ascii_nopad_bin";
constexpr std::string_view kMariadbTable =
    "engine = InnoDB default character set utf8mb4 collate utf8mb4_nopad_bin row_format = dynamic";

}  // namespace

std::string expand(std::string_view text, db::Dialect dialect) {
    const bool mariadb = dialect == db::Dialect::mariadb;
    std::string made(text);
    replace_all(made, "{now}", now_of(dialect));
    replace_all(made, "{content}", kContent);
    replace_all(made, "{bigint}", mariadb ? "integer" : "bigint");
    replace_conflicts(made, mariadb);
    if (mariadb) {
        replace_all(made, "{name}", kMariadbName);
        replace_all(made, "{table}", kMariadbTable);
    }
    return made;
}

void add_xid(db::Statement& statement, std::int64_t xid) {
    if (xid == 0) return;
    statement.values.emplace_back(fmt::format("{}", xid));
    statement.sql += fmt::format(" and xid = ${}::xid8", statement.values.size());
}

}  // namespace sluice::outbox::sql
