#include "sluice/db/postgres/internal/copy_encoder.hpp"

#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "sluice/db/internal/text_codec.hpp"
#include "sluice/db/internal/value_rules.hpp"

namespace sluice::db::postgres {
namespace {

void append_escaped(std::string& out, std::string_view text) {
    for (char c : text) {
        switch (c) {
            case '\\':
                out += "\\\\";
                break;
            case '\n':
                out += "\\n";
                break;
            case '\r':
                out += "\\r";
                break;
            case '\t':
                out += "\\t";
                break;
            default:
                out += c;
        }
    }
}

std::string bytea_text(const Bytes& bytes) {
    static constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text = "\\x";
    text.reserve(2 + bytes.size() * 2);
    for (std::byte byte : bytes) {
        text += kDigits[std::to_integer<std::size_t>(byte >> 4)];
        text += kDigits[std::to_integer<std::size_t>(byte & std::byte{15})];
    }
    return text;
}

/// PostgreSQL has no year 0: it is 1 BC.
std::string timestamp_text(Timestamp time) {
    std::string text = db::internal::format_timestamp(time);
    if (!text.starts_with("0000-")) return text;
    text[3] = '1';
    return text + " BC";
}

std::string real_text(double value) {
    if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
    return fmt::format("{}", value);
}

void append_element(std::string& array, std::string_view element) {
    array += array.size() == 1 ? "\"" : ",\"";
    for (char c : element) {
        if (c == '"' || c == '\\') array += '\\';
        array += c;
    }
    array += '"';
}

struct FieldWriter {
    std::string& out;

    void operator()(Null) const { out += "\\N"; }
    void operator()(bool value) const { out += value ? 't' : 'f'; }
    void operator()(std::int64_t value) const { fmt::format_to(std::back_inserter(out), "{}", value); }
    void operator()(double value) const { out += real_text(value); }
    void operator()(const std::string& text) const { append_escaped(out, text); }
    void operator()(const Bytes& bytes) const { append_escaped(out, bytea_text(bytes)); }
    void operator()(Timestamp time) const { out += timestamp_text(time); }
    void operator()(const Uuid& uuid) const { out += db::internal::format_uuid(uuid); }
    void operator()(const Json& json) const { append_escaped(out, json.text); }
    void operator()(const std::vector<std::int64_t>& array) const {
        out += fmt::format("{{{}}}", fmt::join(array, ","));
    }
    void operator()(const std::vector<std::string>& array) const {
        std::string text = "{";
        for (const std::string& element : array)
            append_element(text, element);
        append_escaped(out, text + "}");
    }
    void operator()(const std::vector<Bytes>& array) const {
        std::string text = "{";
        for (const Bytes& element : array)
            append_element(text, bytea_text(element));
        append_escaped(out, text + "}");
    }
};

}  // namespace

std::string copy_sql(const BulkInsert& rows) {
    std::string names;
    for (const std::string& column : rows.columns)
        names += (names.empty() ? "" : ", ") + db::internal::quoted(column);
    return fmt::format("COPY {}({}) FROM STDIN", db::internal::quoted(rows.table), names);
}

void append_copy_row(std::string& out, const std::vector<Value>& row) {
    for (std::size_t i = 0; i < row.size(); ++i) {
        if (i > 0) out += '\t';
        std::visit(FieldWriter{out}, row[i].variant());
    }
    out += '\n';
}

}  // namespace sluice::db::postgres
