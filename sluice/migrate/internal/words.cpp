#include "sluice/migrate/internal/words.hpp"

#include <algorithm>

namespace sluice::migrate::internal {
namespace {

bool is_blank(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

bool is_of_word(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
           byte == '_' || byte >= 0x80;
}

char capital(char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

/// The length of the blank or comment that `sql` begins with; 0: neither.
std::size_t gap_length(std::string_view sql, db::Dialect dialect) {
    if (is_blank(sql.front())) return 1;
    if (is_line_comment(sql, dialect)) return std::min(sql.find('\n'), sql.size());
    if (!sql.starts_with("/*") || is_executable_comment(sql, dialect)) return 0;
    const std::size_t end = sql.find("*/", 2);
    return end == std::string_view::npos ? sql.size() : end + 2;
}

std::size_t word_length(std::string_view sql) {
    const char first = sql.front();
    if (first == '"' || first == '`') {
        const std::size_t end = sql.find(first, 1);
        return end == std::string_view::npos ? sql.size() : end + 1;
    }
    const auto* const end = std::ranges::find_if_not(sql, is_of_word);
    return std::max<std::size_t>(static_cast<std::size_t>(end - sql.begin()), 1);
}

}  // namespace

bool is_executable_comment(std::string_view sql, db::Dialect dialect) {
    return dialect == db::Dialect::mariadb && (sql.starts_with("/*!") || sql.starts_with("/*M!"));
}

bool is_line_comment(std::string_view sql, db::Dialect dialect) {
    if (dialect != db::Dialect::mariadb) return sql.starts_with("--");
    return sql.starts_with('#') || (sql.starts_with("--") && (sql.size() == 2 || is_blank(sql[2])));
}

std::vector<Word> first_words(std::string_view sql, db::Dialect dialect, std::size_t limit) {
    std::vector<Word> words;
    while (!sql.empty() && words.size() < limit) {
        if (const std::size_t gap = gap_length(sql, dialect); gap > 0) {
            sql.remove_prefix(gap);
            continue;
        }
        const std::string_view text = sql.substr(0, word_length(sql));
        Word word{text, std::string(text)};
        if (is_of_word(text.front())) std::ranges::transform(word.upper, word.upper.begin(), capital);
        words.push_back(std::move(word));
        sql.remove_prefix(text.size());
    }
    return words;
}

}  // namespace sluice::migrate::internal
