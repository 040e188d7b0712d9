#include "sluice/db/internal/fingerprint.hpp"

#include "sluice/db/internal/sql_scanner.hpp"

namespace sluice::db::internal {
namespace {

constexpr std::size_t kFingerprintLimit = 200;

void cut(std::string& text) {
    std::size_t end = kFingerprintLimit;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
        --end;  // never inside a UTF-8 sequence
    text.resize(end);
    text += "...";
}

}  // namespace

std::string fingerprint(std::string_view sql) {
    std::string text;
    SqlScanner scanner(sql);
    bool pending_space = false;
    while (text.size() <= kFingerprintLimit) {
        const SqlToken token = scanner.next();
        if (token.kind == SqlTokenKind::end) break;
        if (token.kind == SqlTokenKind::space || token.kind == SqlTokenKind::comment) {
            pending_space = !text.empty();
            continue;
        }
        if (pending_space) text += ' ';
        pending_space = false;
        const bool literal = token.kind == SqlTokenKind::string || token.kind == SqlTokenKind::number;
        text += literal ? std::string_view("?") : token.text;
    }
    if (text.size() > kFingerprintLimit) cut(text);
    return text;
}

}  // namespace sluice::db::internal
