#include "sluice/db/sqlite/internal/placeholders.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "sluice/db/internal/placeholder.hpp"
#include "sluice/db/internal/sql_scanner.hpp"

namespace sluice::db::sqlite {

std::expected<TranslatedSql, std::string> translate_placeholders(std::string_view sql) {
    TranslatedSql translated;
    translated.text.reserve(sql.size());
    db::internal::SqlScanner scanner(sql);
    for (auto token = scanner.next(); token.kind != db::internal::SqlTokenKind::end; token = scanner.next()) {
        if (token.kind == db::internal::SqlTokenKind::foreign) {
            return std::unexpected(fmt::format("placeholder {}: write $1, $2, … on every database", token.text));
        }
        if (token.kind != db::internal::SqlTokenKind::placeholder) {
            translated.text += token.text;
            continue;
        }
        const auto number = db::internal::placeholder_number(token.text);
        if (!number) return std::unexpected(number.error());
        if (*number == translated.placeholders + 1) {
            // The same number, without a name: SQLite searches its list of names for each `?N` that it compiles.
            translated.text += '?';
            translated.placeholders = *number;
            continue;
        }
        translated.placeholders = std::max(translated.placeholders, *number);
        fmt::format_to(std::back_inserter(translated.text), "?{}", *number);
    }
    return translated;
}

}  // namespace sluice::db::sqlite
