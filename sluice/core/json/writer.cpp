#include "sluice/core/json/writer.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>

#include <fmt/format.h>

#include "sluice/core/utf8.hpp"

namespace sluice::core::json {
namespace {

unsigned char byte_at(std::string_view text, std::size_t at) {
    return static_cast<unsigned char>(text[at]);
}

// Bytes of the well-formed sequence that starts at `at`, or 0.
std::size_t sequence_length(std::string_view text, std::size_t at) {
    Utf8Checker checker;
    for (std::size_t length = 1; at + length <= text.size(); ++length) {
        if (!checker.feed(text.substr(at + length - 1, 1))) return 0;
        if (checker.complete()) return length;
    }
    return 0;
}

// Bytes that stand for themselves in a string: ASCII but for controls, the quote and the backslash.
constexpr std::array<bool, 256> kPlain = [] {
    std::array<bool, 256> plain{};
    for (std::size_t byte = 0x20; byte < 0x80; ++byte)
        plain[byte] = byte != '"' && byte != '\\';
    return plain;
}();

void append_escaped(std::string& out, unsigned char byte) {
    switch (byte) {
        case '"':
            out += "\\\"";
            return;
        case '\\':
            out += "\\\\";
            return;
        case '\b':
            out += "\\b";
            return;
        case '\f':
            out += "\\f";
            return;
        case '\n':
            out += "\\n";
            return;
        case '\r':
            out += "\\r";
            return;
        case '\t':
            out += "\\t";
            return;
        default:
            fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
    }
}

template <class Number>
void append_number(std::string& out, Number value) {
    std::array<char, 32> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value);
    out.append(digits.data(), end.ptr);
}

}  // namespace

void Writer::separate() {
    if (needs_comma_) out_ += ',';
    needs_comma_ = true;
}

void Writer::begin_object() {
    separate();
    out_ += '{';
    needs_comma_ = false;
}

void Writer::end_object() {
    out_ += '}';
    needs_comma_ = true;
}

void Writer::begin_array() {
    separate();
    out_ += '[';
    needs_comma_ = false;
}

void Writer::end_array() {
    out_ += ']';
    needs_comma_ = true;
}

void Writer::key(std::string_view name) {
    separate();
    last_key_.assign(name);
    quote(name);
    out_ += ':';
    needs_comma_ = false;
}

void Writer::null() {
    raw("null");
}

void Writer::value(bool value) {
    raw(value ? "true" : "false");
}

void Writer::value(std::int64_t value) {
    separate();
    append_number(out_, value);
}

void Writer::value(std::uint64_t value) {
    separate();
    append_number(out_, value);
}

void Writer::value(double value) {
    if (!std::isfinite(value)) refuse(fmt::format("{} is no JSON number", value));
    separate();
    append_number(out_, value);
}

void Writer::value(std::string_view text) {
    separate();
    quote(text);
}

void Writer::raw(std::string_view json) {
    separate();
    out_ += json;
}

void Writer::quote(std::string_view text) {
    out_ += '"';
    std::size_t at = 0;
    while (at < text.size()) {
        std::size_t plain_end = at;
        while (plain_end < text.size() && kPlain[byte_at(text, plain_end)])
            ++plain_end;
        out_.append(text, at, plain_end - at);
        at = plain_end;
        if (at == text.size()) break;
        if (byte_at(text, at) < 0x80) {
            append_escaped(out_, byte_at(text, at++));
            continue;
        }
        const std::size_t length = sequence_length(text, at);
        if (length == 0 && bad_text_ == BadText::refuse) refuse(fmt::format("text is not UTF-8 at byte {}", at));
        if (length == 0)
            out_ += "\xEF\xBF\xBD";
        else
            out_.append(text, at, length);
        at += length == 0 ? 1 : length;
    }
    out_ += '"';
}

void Writer::refuse(const std::string& what) const {
    throw EncodeError(last_key_.empty() ? what : fmt::format("{} (in or near member '{}')", what, last_key_));
}

}  // namespace sluice::core::json
