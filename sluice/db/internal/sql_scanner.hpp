// Splits SQL into the tokens that placeholder translation and fingerprints care about. Not a parser: it only knows
// where strings, comments and names begin and end (SQLite's rules, which are the standard's plus [x] and `x`).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sluice::db::internal {

enum class SqlTokenKind : std::uint8_t {
    end,
    space,
    comment,      ///< `-- …` to the end of the line, or `/* … */`
    string,       ///< 'x', also x'00'
    name,         ///< a word, or a quoted identifier
    number,       ///< decimal or hexadecimal
    placeholder,  ///< `$n`: text is the whole token
    foreign,      ///< `?`, `?n`, `:x`, `@x`, `$x`: placeholders that are not ours
    other,        ///< one operator or punctuation character
};

/// `text` is a view into the scanned SQL.
struct SqlToken {
    SqlTokenKind kind = SqlTokenKind::end;
    std::string_view text;
};

/// Every byte of the input is in exactly one token. Unterminated strings and comments reach to the end. Never throws.
class SqlScanner {
public:
    explicit SqlScanner(std::string_view sql) noexcept : rest_(sql) {}
    [[nodiscard]] SqlToken next() noexcept;

private:
    std::string_view rest_;
};

}  // namespace sluice::db::internal
