#include "sluice/db/sqlite/internal/placeholders.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>

#include <fmt/format.h>

#include "sluice/db/internal/sql_scanner.hpp"

namespace sluice::db::sqlite {
namespace {

constexpr std::size_t kLargestPlaceholder = 250'000;

std::expected<std::size_t, std::string> placeholder_number(std::string_view token) {
    std::size_t number = 0;
    const char* const end = token.data() + token.size();
    const auto [stop, failure] = std::from_chars(token.data() + 1, end, number);
    if (failure != std::errc{} || stop != end || number == 0 || number > kLargestPlaceholder) {
        return std::unexpected(fmt::format("placeholder {} is not in $1..${}", token, kLargestPlaceholder));
    }
    return number;
}

}  // namespace

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
        const auto number = placeholder_number(token.text);
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
