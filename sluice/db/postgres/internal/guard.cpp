#include "sluice/db/postgres/internal/guard.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include "sluice/db/internal/sql_scanner.hpp"

namespace sluice::db::postgres {
namespace {

/// The first words of a statement, in upper case.
class FirstWords {
public:
    explicit FirstWords(std::string_view sql) : scanner_(sql) {}

    std::string next() {
        using db::internal::SqlTokenKind;
        for (;;) {
            const db::internal::SqlToken token = scanner_.next();
            if (token.kind == SqlTokenKind::space || token.kind == SqlTokenKind::comment) continue;
            if (token.kind != SqlTokenKind::name) return {};
            std::string word(token.text);
            std::ranges::transform(word, word.begin(),
                                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
            return word;
        }
    }

private:
    db::internal::SqlScanner scanner_;
};

}  // namespace

std::optional<std::string> unit_refusal(std::string_view sql) {
    constexpr std::array<std::string_view, 5> kEnders{"BEGIN", "START", "COMMIT", "END", "ABORT"};
    FirstWords words(sql);
    const std::string first = words.next();
    if (std::ranges::find(kEnders, first) != kEnders.end()) {
        return first + " inside a unit of work: it begins and ends by itself; use savepoint() to nest";
    }
    if (first == "PREPARE" && words.next() == "TRANSACTION") return "a unit of work cannot be prepared for two phases";
    if (first != "ROLLBACK") return std::nullopt;
    std::string second = words.next();
    if (second == "WORK" || second == "TRANSACTION") second = words.next();
    if (second == "TO") return std::nullopt;
    return "ROLLBACK inside a unit of work: throw to roll it back, or use savepoint()";
}

}  // namespace sluice::db::postgres
