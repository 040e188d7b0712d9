#include "sluice/db/mariadb/internal/placeholders.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "sluice/db/internal/placeholder.hpp"
#include "sluice/db/internal/sql_scanner.hpp"

namespace sluice::db::mariadb {
namespace {

using db::internal::SqlToken;
using db::internal::SqlTokenKind;

/// Why the token cannot be sent; empty if it can.
std::string token_refusal(const SqlToken& token) {
    const bool other_style = token.kind == SqlTokenKind::foreign && !token.text.starts_with('@');
    if (other_style) return fmt::format("placeholder {}: write $1, $2, … on every database", token.text);
    if (token.kind == SqlTokenKind::other && token.text == "#") return "a comment begins with `--` and a space";
    return {};
}

}  // namespace

std::expected<TranslatedSql, std::string> translate_placeholders(std::string_view sql) {
    TranslatedSql translated;
    translated.text.reserve(sql.size());
    db::internal::SqlScanner scanner(sql);
    for (SqlToken token = scanner.next(); token.kind != SqlTokenKind::end; token = scanner.next()) {
        if (std::string refused = token_refusal(token); !refused.empty()) return std::unexpected(std::move(refused));
        if (token.kind != SqlTokenKind::placeholder) {
            translated.text += token.text;
            continue;
        }
        const auto number = db::internal::placeholder_number(token.text);
        if (!number) return std::unexpected(number.error());
        translated.text += '?';
        translated.order.push_back(*number - 1);
        translated.placeholders = std::max(translated.placeholders, *number);
    }
    return translated;
}

}  // namespace sluice::db::mariadb
