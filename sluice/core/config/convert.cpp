#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "sluice/core/config/internal/sources.hpp"

namespace sluice::core::config {
namespace {

using Converted = std::expected<Value, std::string>;

std::string shown(const Given& given) {
    struct Show {
        std::string operator()(bool value) const { return value ? "true" : "false"; }
        std::string operator()(std::int64_t value) const { return fmt::format("{}", value); }
        std::string operator()(double value) const { return fmt::format("{}", value); }
        std::string operator()(const std::string& value) const { return "'" + value + "'"; }
        std::string operator()(const std::vector<std::string>&) const { return "a list"; }
    };
    return std::visit(Show{}, given.value);
}

Converted expected(const Option& option, std::string_view wanted, const Given& given) {
    const std::string found = option.secret ? "something else" : shown(given);
    return std::unexpected(fmt::format("'{}': expected {}, found {}", given.name, wanted, found));
}

// The text of a value that came as text, unless TOML typed it as one where another type is wanted.
const std::string* loose_text(const Given& given) {
    return given.typed ? nullptr : std::get_if<std::string>(&given.value);
}

template <class Number>
std::optional<Number> read_number(const std::string& text) {
    Number value{};
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || text.empty()) return std::nullopt;
    return value;
}

Converted to_boolean(const Option& option, const Given& given) {
    if (const bool* truth = std::get_if<bool>(&given.value)) return *truth;
    const std::string* text = loose_text(given);
    if (text != nullptr && *text == "true") return true;
    if (text != nullptr && *text == "false") return false;
    return expected(option, "true or false", given);
}

Converted to_integer(const Option& option, const Given& given) {
    std::optional<std::int64_t> value;
    if (const auto* whole = std::get_if<std::int64_t>(&given.value)) value = *whole;
    if (const std::string* text = loose_text(given)) value = read_number<std::int64_t>(*text);
    if (value && *value >= option.lowest && *value <= option.highest) return *value;
    return expected(option, fmt::format("an integer from {} to {}", option.lowest, option.highest), given);
}

Converted to_real(const Option& option, const Given& given) {
    std::optional<double> value;
    if (const auto* real = std::get_if<double>(&given.value)) value = *real;
    if (const auto* whole = std::get_if<std::int64_t>(&given.value)) value = static_cast<double>(*whole);
    if (const std::string* text = loose_text(given)) value = read_number<double>(*text);
    if (value && std::isfinite(*value)) return *value;
    return expected(option, "a number", given);
}

Converted to_text(const Option& option, const Given& given) {
    const auto* text = std::get_if<std::string>(&given.value);
    if (text == nullptr) return expected(option, "a text in quotes", given);
    const std::vector<std::string>& choices = option.choices;
    if (choices.empty() || std::find(choices.begin(), choices.end(), *text) != choices.end()) return *text;
    return expected(option, fmt::format("one of {}", fmt::join(choices, ", ")), given);
}

Converted to_duration(const Option& option, const Given& given) {
    const auto* text = std::get_if<std::string>(&given.value);
    if (text == nullptr) return expected(option, "a duration with its unit, like \"30s\"", given);
    const auto duration = parse_duration(*text);
    if (!duration) return std::unexpected(fmt::format("'{}': {}", given.name, duration.error()));
    return *duration;
}

Converted to_size(const Option& option, const Given& given) {
    if (const auto* whole = std::get_if<std::int64_t>(&given.value); whole != nullptr && *whole >= 0)
        return ByteSize{static_cast<std::uint64_t>(*whole)};
    const auto* text = std::get_if<std::string>(&given.value);
    if (text == nullptr) return expected(option, "a size like \"64KiB\"", given);
    const auto size = parse_size(*text);
    if (!size) return std::unexpected(fmt::format("'{}': {}", given.name, size.error()));
    return *size;
}

std::vector<std::string> split(std::string_view text) {
    std::vector<std::string> parts;
    while (!text.empty()) {
        const std::size_t comma = std::min(text.find(','), text.size());
        std::string_view part = text.substr(0, comma);
        while (part.starts_with(' '))
            part.remove_prefix(1);
        while (part.ends_with(' '))
            part.remove_suffix(1);
        parts.emplace_back(part);
        text.remove_prefix(std::min(comma + 1, text.size()));
    }
    return parts;
}

Converted to_texts(const Option& option, const Given& given) {
    if (const auto* texts = std::get_if<std::vector<std::string>>(&given.value)) return *texts;
    if (const std::string* text = loose_text(given)) return split(*text);
    return expected(option, "a list of texts", given);
}

}  // namespace

std::expected<Value, std::string> convert(const Option& option, const Given& given) {
    switch (option.kind) {
        case ValueKind::boolean:
            return to_boolean(option, given);
        case ValueKind::integer:
            return to_integer(option, given);
        case ValueKind::real:
            return to_real(option, given);
        case ValueKind::text:
            return to_text(option, given);
        case ValueKind::duration:
            return to_duration(option, given);
        case ValueKind::size:
            return to_size(option, given);
        case ValueKind::texts:
            return to_texts(option, given);
    }
    return expected(option, "another type", given);
}

}  // namespace sluice::core::config
