#include <charconv>
#include <optional>

#include "sluice/db/internal/text_codec.hpp"
#include "sluice/db/postgres/internal/decode.hpp"

namespace sluice::db::postgres {
namespace {

using Decoded = std::expected<Value, std::string>;

Decoded unreadable_text() {
    return std::unexpected("the server's text value is malformed");
}

template <class Number>
std::optional<Number> parse_number(std::string_view data) {
    Number number{};
    const auto [end, error] = std::from_chars(data.data(), data.data() + data.size(), number);
    if (error != std::errc{} || end != data.data() + data.size()) return std::nullopt;
    return number;
}

template <class Number>
Decoded decode_number(std::string_view data) {
    const auto number = parse_number<Number>(data);
    if (!number) return unreadable_text();
    return Value(*number);
}

int nibble(char digit) noexcept {
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    return -1;
}

/// `bytea_output = hex`, the server's default.
std::optional<Bytes> parse_bytea(std::string_view data) {
    if (!data.starts_with("\\x") || data.size() % 2 != 0) return std::nullopt;
    data.remove_prefix(2);
    Bytes bytes;
    bytes.reserve(data.size() / 2);
    for (std::size_t i = 0; i < data.size(); i += 2) {
        const int high = nibble(data[i]);
        const int low = nibble(data[i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        bytes.push_back(static_cast<std::byte>(high * 16 + low));
    }
    return bytes;
}

/// `2026-01-02 03:04:05.000006+00`, `0001-12-31 23:59:59 BC`; the zone may have only hours. The year before 1 is 1 BC.
Decoded decode_time_text(std::string_view data) {
    if (data.ends_with("infinity")) return std::unexpected("an infinite timestamp cannot be held");
    const bool before_christ = data.ends_with(" BC");
    if (before_christ) data.remove_suffix(3);
    std::string text(data);
    const std::size_t zone = text.find_last_of("+-");
    if (zone != std::string::npos && zone > 10 && text.size() - zone == 3) text += ":00";
    if (before_christ) {
        // Only 1 BC, the year 0, is one that the kind holds.
        if (!text.starts_with("0001-")) return std::unexpected("a timestamp before the year 0 cannot be held");
        text[3] = '0';
    }
    const auto time = db::internal::parse_timestamp(text);
    if (!time) return std::unexpected("a timestamp outside of the years 0 to 9999, or not in the ISO style");
    return Value(*time);
}

/// Reads `{a,"b \"c\"",d}`.
class ArrayReader {
public:
    explicit ArrayReader(std::string_view text) : rest_(text) {}

    std::expected<std::vector<std::string>, std::string> read() {
        std::vector<std::string> elements;
        if (rest_.starts_with('[')) return std::unexpected("an array whose first index is not 1 cannot be held");
        if (!take('{')) return std::unexpected("the server's array is malformed");
        if (take('}')) return finish(std::move(elements));
        for (;;) {
            if (rest_.starts_with('{')) return std::unexpected("an array of several dimensions cannot be held");
            auto element = rest_.starts_with('"') ? quoted_element() : plain_element();
            if (!element) return std::unexpected(element.error());
            elements.push_back(std::move(*element));
            if (take('}')) return finish(std::move(elements));
            if (!take(',')) return std::unexpected("the server's array is malformed");
        }
    }

private:
    bool take(char c) {
        if (!rest_.starts_with(c)) return false;
        rest_.remove_prefix(1);
        return true;
    }
    std::expected<std::vector<std::string>, std::string> finish(std::vector<std::string> elements) {
        if (!rest_.empty()) return std::unexpected("the server's array is malformed");
        return elements;
    }
    std::expected<std::string, std::string> quoted_element() {
        std::string element;
        for (std::size_t i = 1; i < rest_.size(); ++i) {
            if (rest_[i] == '"') {
                rest_.remove_prefix(i + 1);
                return element;
            }
            if (rest_[i] == '\\' && ++i == rest_.size()) break;
            element += rest_[i];
        }
        return std::unexpected("the server's array is malformed");
    }
    std::expected<std::string, std::string> plain_element() {
        const std::size_t end = rest_.find_first_of(",}");
        if (end == std::string_view::npos || end == 0) return std::unexpected("the server's array is malformed");
        std::string element(rest_.substr(0, end));
        if (element == "NULL") return std::unexpected("a null inside an array cannot be held");
        rest_.remove_prefix(end);
        return element;
    }

    std::string_view rest_;
};

/// Each element by `parse`, which answers an optional.
template <class Element, class Parse>
Decoded decode_array_text(std::string_view data, Parse parse) {
    const auto texts = ArrayReader(data).read();
    if (!texts) return std::unexpected(texts.error());
    std::vector<Element> array;
    array.reserve(texts->size());
    for (const std::string& text : *texts) {
        std::optional<Element> element = parse(text);
        if (!element) return unreadable_text();
        array.push_back(std::move(*element));
    }
    return Value(std::move(array));
}

Decoded decode_bytea(std::string_view data) {
    auto bytes = parse_bytea(data);
    if (!bytes) return unreadable_text();
    return Value(std::move(*bytes));
}

Decoded decode_uuid_text(std::string_view data) {
    const auto uuid = db::internal::parse_uuid(data);
    if (!uuid) return unreadable_text();
    return Value(*uuid);
}

}  // namespace

std::expected<Value, std::string> decode_text(Oid type, std::string_view data) {
    switch (type) {
        case kBool:
            if (data != "t" && data != "f") return unreadable_text();
            return Value(data == "t");
        case kBytea:
            return decode_bytea(data);
        case kInt8:
        case kInt2:
        case kInt4:
        case kOidType:
            return decode_number<std::int64_t>(data);
        case kFloat4:
        case kFloat8:
            return decode_number<double>(data);
        case kTimestamp:
        case kTimestampTz:
            return decode_time_text(data);
        case kUuid:
            return decode_uuid_text(data);
        case kJson:
        case kJsonb:
            return Value(Json{std::string(data)});
        case kInt8Array:
            return decode_array_text<std::int64_t>(data, parse_number<std::int64_t>);
        case kTextArray:
            return decode_array_text<std::string>(
                data, [](std::string_view text) { return std::optional(std::string(text)); });
        case kByteaArray:
            return decode_array_text<Bytes>(data, parse_bytea);
        default:
            return Value(data);
    }
}

}  // namespace sluice::db::postgres
