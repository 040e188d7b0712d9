#include "sluice/db/internal/text_codec.hpp"

#include <cstring>
#include <limits>

#include <fmt/format.h>

#include "sluice/core/json.hpp"
#include "sluice/core/utf8.hpp"

namespace sluice::db::internal {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

int hex_value(char digit) noexcept {
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
    return -1;
}

std::string to_hex(const Bytes& bytes) {
    std::string text;
    text.reserve(bytes.size() * 2);
    for (std::byte byte : bytes) {
        text += kHexDigits[std::to_integer<std::size_t>(byte >> 4)];
        text += kHexDigits[std::to_integer<std::size_t>(byte & std::byte{15})];
    }
    return text;
}

std::optional<Bytes> from_hex(std::string_view text) {
    if (text.size() % 2 != 0) return std::nullopt;
    Bytes bytes;
    bytes.reserve(text.size() / 2);
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const int high = hex_value(text[i]);
        const int low = hex_value(text[i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        bytes.push_back(static_cast<std::byte>(high * 16 + low));
    }
    return bytes;
}

/// Takes fixed-width decimal numbers and separators off the front of a text.
class FieldReader {
public:
    explicit FieldReader(std::string_view text) : rest_(text) {}

    std::optional<int> digits(std::size_t count) {
        if (rest_.size() < count) return std::nullopt;
        int value = 0;
        for (std::size_t i = 0; i < count; ++i) {
            if (rest_[i] < '0' || rest_[i] > '9') return std::nullopt;
            value = value * 10 + (rest_[i] - '0');
        }
        rest_.remove_prefix(count);
        return value;
    }
    bool skip(std::string_view any_of) {
        if (rest_.empty() || any_of.find(rest_.front()) == std::string_view::npos) return false;
        rest_.remove_prefix(1);
        return true;
    }
    [[nodiscard]] char front() const { return rest_.empty() ? '\0' : rest_.front(); }
    [[nodiscard]] bool empty() const { return rest_.empty(); }

private:
    std::string_view rest_;
};

std::optional<std::chrono::sys_days> read_date(FieldReader& reader) {
    const auto year = reader.digits(4);
    if (!year || !reader.skip("-")) return std::nullopt;
    const auto month = reader.digits(2);
    if (!month || !reader.skip("-")) return std::nullopt;
    const auto day = reader.digits(2);
    if (!day) return std::nullopt;
    const std::chrono::year_month_day date{std::chrono::year{*year}, std::chrono::month{static_cast<unsigned>(*month)},
                                           std::chrono::day{static_cast<unsigned>(*day)}};
    if (!date.ok()) return std::nullopt;
    return std::chrono::sys_days{date};
}

std::optional<std::chrono::microseconds> read_fraction(FieldReader& reader) {
    std::int64_t micros = 0;
    std::int64_t unit = 100'000;
    int count = 0;
    while (const auto digit = reader.digits(1)) {
        if (++count > 9 || (unit == 0 && *digit != 0)) return std::nullopt;
        micros += *digit * unit;
        unit /= 10;
    }
    if (count == 0) return std::nullopt;
    return std::chrono::microseconds{micros};
}

std::optional<std::chrono::microseconds> read_time(FieldReader& reader) {
    const auto hour = reader.digits(2);
    if (!hour || *hour > 23 || !reader.skip(":")) return std::nullopt;
    const auto minute = reader.digits(2);
    if (!minute || *minute > 59 || !reader.skip(":")) return std::nullopt;
    const auto second = reader.digits(2);
    if (!second || *second > 59) return std::nullopt;
    std::chrono::microseconds time =
        std::chrono::hours{*hour} + std::chrono::minutes{*minute} + std::chrono::seconds{*second};
    if (reader.skip(".")) {
        const auto fraction = read_fraction(reader);
        if (!fraction) return std::nullopt;
        time += *fraction;
    }
    return time;
}

std::optional<std::chrono::minutes> read_zone(FieldReader& reader) {
    if (reader.empty() || reader.skip("Z")) return std::chrono::minutes{0};
    const int sign = reader.front() == '-' ? -1 : 1;
    if (!reader.skip("+-")) return std::nullopt;
    const auto hours = reader.digits(2);
    if (!hours || *hours > 23 || !reader.skip(":")) return std::nullopt;
    const auto minutes = reader.digits(2);
    if (!minutes || *minutes > 59) return std::nullopt;
    return std::chrono::minutes{sign * (*hours * 60 + *minutes)};
}

/// A column's text was bounded when it was stored.
constexpr core::json::Limits array_limits() {
    core::json::Limits limits;
    limits.bytes = std::numeric_limits<std::uint32_t>::max();
    return limits;
}

template <class T>
std::optional<T> decode_as(std::string_view text) {
    auto decoded = core::json::decode<T>(text, array_limits());
    if (!decoded) return std::nullopt;
    return std::move(*decoded);
}

}  // namespace

std::string format_timestamp(Timestamp time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss clock{time - day};
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                       clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

std::optional<Timestamp> parse_timestamp(std::string_view text) {
    FieldReader reader(text);
    const auto day = read_date(reader);
    if (!day || !reader.skip("T ")) return std::nullopt;
    const auto time = read_time(reader);
    if (!time) return std::nullopt;
    const auto zone = read_zone(reader);
    if (!zone || !reader.empty()) return std::nullopt;
    return Timestamp{*day} + *time - *zone;
}

std::string format_uuid(const Uuid& uuid) {
    std::string text;
    text.reserve(36);
    for (std::size_t i = 0; i < uuid.bytes.size(); ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
        text += kHexDigits[std::to_integer<std::size_t>(uuid.bytes[i] >> 4)];
        text += kHexDigits[std::to_integer<std::size_t>(uuid.bytes[i] & std::byte{15})];
    }
    return text;
}

std::optional<Uuid> parse_uuid(std::string_view text) {
    if (text.size() != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-')
        return std::nullopt;
    std::string digits;
    for (char c : text) {
        if (c != '-') digits += c;
    }
    const auto bytes = from_hex(digits);
    if (!bytes || bytes->size() != 16) return std::nullopt;
    Uuid uuid;
    std::memcpy(uuid.bytes.data(), bytes->data(), 16);
    return uuid;
}

std::string encode_array(const std::vector<std::int64_t>& array) {
    return core::json::encode(array);
}

std::string encode_array(const std::vector<std::string>& array) {
    return core::json::encode(array);
}

std::string encode_array(const std::vector<Bytes>& array) {
    std::vector<std::string> texts;
    texts.reserve(array.size());
    for (const Bytes& bytes : array)
        texts.push_back(to_hex(bytes));
    return core::json::encode(texts);
}

std::optional<std::vector<std::int64_t>> decode_integers(std::string_view text) {
    return decode_as<std::vector<std::int64_t>>(text);
}

std::optional<std::vector<std::string>> decode_texts(std::string_view text) {
    return decode_as<std::vector<std::string>>(text);
}

std::optional<std::vector<Bytes>> decode_bytes_array(std::string_view text) {
    const auto texts = decode_texts(text);
    if (!texts) return std::nullopt;
    std::vector<Bytes> decoded;
    decoded.reserve(texts->size());
    for (const std::string& hex : *texts) {
        auto bytes = from_hex(hex);
        if (!bytes) return std::nullopt;
        decoded.push_back(std::move(*bytes));
    }
    return decoded;
}

bool is_storable_text(std::string_view text) noexcept {
    return text.find('\0') == std::string_view::npos && core::is_utf8(text);
}

}  // namespace sluice::db::internal
