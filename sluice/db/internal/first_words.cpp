#include "sluice/db/internal/first_words.hpp"

#include <algorithm>
#include <cctype>

namespace sluice::db::internal {

std::string FirstWords::next() {
    for (;;) {
        const SqlToken token = scanner_.next();
        if (token.kind == SqlTokenKind::space || token.kind == SqlTokenKind::comment) continue;
        if (token.kind != SqlTokenKind::name) return {};
        std::string word(token.text);
        std::ranges::transform(word, word.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
        return word;
    }
}

}  // namespace sluice::db::internal
