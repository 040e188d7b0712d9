#include "sluice/outbox/internal/sql.hpp"

#include <fmt/format.h>

#include "sluice/core/assert.hpp"

namespace sluice::outbox::sql {
namespace {

void replace_all(std::string& text, std::string_view what, std::string_view by) {
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
        text.replace(at, what.size(), by);
}

}  // namespace

std::string expand(std::string_view text, db::Dialect dialect) {
    SLUICE_ASSERT(dialect != db::Dialect::mariadb, "no clock expression for dialect {}", static_cast<int>(dialect));
    std::string made(text);
    replace_all(made, "{now}", dialect == db::Dialect::sqlite ? kSqliteNow : kPostgresNow);
    replace_all(made, "{content}", kContent);
    return made;
}

void add_xid(db::Statement& statement, std::int64_t xid) {
    if (xid == 0) return;
    statement.values.emplace_back(fmt::format("{}", xid));
    statement.sql += fmt::format(" and xid = ${}::xid8", statement.values.size());
}

}  // namespace sluice::outbox::sql
