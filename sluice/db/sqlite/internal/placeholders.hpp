// `$1..$n` into SQLite's `?1..?n`; one that is the next number is a plain `?`.
//
//     translate_placeholders("select $2, '$1', $3")   // {"select ?2, '$1', ?", 3}
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

namespace sluice::db::sqlite {

struct TranslatedSql {
    std::string text;
    std::size_t placeholders = 0;  ///< the highest number used
};

/// Pure. Strings, comments and names are left alone. The error is a message for people: `$0`, a number beyond 250,000,
/// or another style of placeholder (`?`, `:x`, `@x`, `$x`).
[[nodiscard]] std::expected<TranslatedSql, std::string> translate_placeholders(std::string_view sql);

}  // namespace sluice::db::sqlite
