#include "sluice/db/internal/sql_scanner.hpp"

#include <algorithm>

namespace sluice::db::internal {
namespace {

bool is_space(char c) noexcept {
    return c == ' ' || (c >= '\t' && c <= '\r');
}
bool is_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}
bool is_word(char c) noexcept {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           static_cast<unsigned char>(c) >= 0x80;
}

template <class Predicate>
std::size_t length_while(std::string_view text, std::size_t from, Predicate holds) noexcept {
    while (from < text.size() && holds(text[from]))
        ++from;
    return from;
}

/// From the opening quote at `from`; a doubled quote is part of the text.
std::size_t quoted_length(std::string_view text, std::size_t from, char quote, bool doubled) noexcept {
    for (std::size_t i = from + 1; i < text.size(); ++i) {
        if (text[i] != quote) continue;
        if (doubled && i + 1 < text.size() && text[i + 1] == quote) {
            ++i;
            continue;
        }
        return i + 1;
    }
    return text.size();
}

std::size_t until_after(std::string_view text, std::string_view mark, std::size_t from) noexcept {
    const std::size_t found = text.find(mark, from);
    return found == std::string_view::npos ? text.size() : found + mark.size();
}

std::size_t number_length(std::string_view text) noexcept {
    std::size_t length = length_while(text, 0, [](char c) { return is_word(c) || c == '.'; });
    const bool exponent = length > 0 && (text[length - 1] == 'e' || text[length - 1] == 'E') && text[1] != 'x';
    if (exponent && length < text.size() && (text[length] == '+' || text[length] == '-')) {
        length = length_while(text, length + 1, is_digit);
    }
    return length;
}

struct Measured {
    SqlTokenKind kind;
    std::size_t length;
};

Measured measure_variable(std::string_view text) noexcept {
    // PostgreSQL's `::type` and SQLite's `->` operators are not variables.
    if (text.starts_with("::")) return {SqlTokenKind::other, 2};
    const std::size_t length = length_while(text, 1, is_word);
    if (text[0] == '?') return {SqlTokenKind::foreign, length_while(text, 1, is_digit)};
    if (length == 1) return {SqlTokenKind::other, 1};
    const std::string_view name = text.substr(1, length - 1);
    const bool ours = text[0] == '$' && std::ranges::all_of(name, is_digit);
    return {ours ? SqlTokenKind::placeholder : SqlTokenKind::foreign, length};
}

Measured measure(std::string_view text) noexcept {
    const char first = text[0];
    const char second = text.size() > 1 ? text[1] : '\0';
    if (is_space(first)) return {SqlTokenKind::space, length_while(text, 1, is_space)};
    if (first == '-' && second == '-') return {SqlTokenKind::comment, until_after(text, "\n", 2)};
    if (first == '/' && second == '*') return {SqlTokenKind::comment, until_after(text, "*/", 2)};
    if (first == '\'') return {SqlTokenKind::string, quoted_length(text, 0, '\'', true)};
    if ((first == 'x' || first == 'X') && second == '\'')
        return {SqlTokenKind::string, quoted_length(text, 1, '\'', true)};
    if (first == '"' || first == '`') return {SqlTokenKind::name, quoted_length(text, 0, first, true)};
    if (first == '[') return {SqlTokenKind::name, quoted_length(text, 0, ']', false)};
    if (is_digit(first) || (first == '.' && is_digit(second))) return {SqlTokenKind::number, number_length(text)};
    // A name may contain `$` after its first character.
    if (is_word(first)) {
        return {SqlTokenKind::name, length_while(text, 1, [](char c) { return is_word(c) || c == '$'; })};
    }
    if (first == '$' || first == '?' || first == ':' || first == '@') return measure_variable(text);
    return {SqlTokenKind::other, 1};
}

}  // namespace

SqlToken SqlScanner::next() noexcept {
    if (rest_.empty()) return {};
    const Measured token = measure(rest_);
    const SqlToken found{token.kind, rest_.substr(0, token.length)};
    rest_.remove_prefix(token.length);
    return found;
}

}  // namespace sluice::db::internal
