// `$1..$n` into MariaDB's `?`, which has no numbers: which value stands where is kept beside the text.
//
//     translate_placeholders("select $2, '$1', $2")   // {"select ?, '$1', ?", {1, 1}, 2}
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::db::mariadb {

struct TranslatedSql {
    std::string text;
    std::vector<std::size_t> order;  ///< for each `?` the index of its value
    std::size_t placeholders = 0;    ///< the highest number used
};

/// Pure. Strings, comments, names and variables (`@x`) are left alone. The error is a message for people: `$0`, a
/// number beyond 250,000, another style of placeholder, or a `#` comment, in which quotes would be misread.
[[nodiscard]] std::expected<TranslatedSql, std::string> translate_placeholders(std::string_view sql);

}  // namespace sluice::db::mariadb
