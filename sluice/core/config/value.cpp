#include "sluice/core/config/value.hpp"

#include <charconv>
#include <limits>
#include <span>

#include <fmt/format.h>

#include "sluice/core/json/writer.hpp"

namespace sluice::core::config {
namespace {

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};

constexpr Unit kTimeUnits[] = {{"ns", 1},
                               {"us", 1'000},
                               {"ms", 1'000'000},
                               {"s", 1'000'000'000},
                               {"m", 60'000'000'000},
                               {"h", 3'600'000'000'000},
                               {"d", 86'400'000'000'000}};

constexpr Unit kSizeUnits[] = {{"B", 1},           {"kB", 1'000},         {"KiB", 1'024},        {"MB", 1'000'000},
                               {"MiB", 1'048'576}, {"GB", 1'000'000'000}, {"GiB", 1'073'741'824}};

constexpr auto kLargest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

std::expected<std::uint64_t, std::string> parse_amount(std::string_view text, std::span<const Unit> units,
                                                       std::string_view wanted) {
    std::uint64_t count = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), count);
    const std::string_view unit(read.ptr, static_cast<std::size_t>(text.data() + text.size() - read.ptr));
    if (read.ec == std::errc{})
        for (const Unit& known : units)
            if (unit == known.name && count <= kLargest / known.factor) return count * known.factor;
    return std::unexpected(fmt::format("expected {}, found '{}'", wanted, text));
}

std::string format_amount(std::uint64_t amount, std::span<const Unit> units) {
    const Unit* best = units.data();
    for (const Unit& unit : units)
        if (amount != 0 && amount % unit.factor == 0 && unit.factor > best->factor) best = &unit;
    return fmt::format("{}{}", amount / best->factor, best->name);
}

std::string quoted(std::string_view text) {
    std::string out;
    json::Writer(out, json::BadText::replace).value(text);
    return out;
}

struct Formatter {
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(std::int64_t value) const { return fmt::format("{}", value); }
    std::string operator()(double value) const { return fmt::format("{}", value); }
    std::string operator()(const std::string& value) const { return quoted(value); }
    std::string operator()(std::chrono::nanoseconds value) const { return quoted(format_duration(value)); }
    std::string operator()(ByteSize value) const { return quoted(format_size(value)); }
    std::string operator()(const std::vector<std::string>& values) const {
        std::string out = "[";
        for (const std::string& value : values)
            out += (out.size() == 1 ? "" : ", ") + quoted(value);
        return out + "]";
    }
};

}  // namespace

std::expected<std::chrono::nanoseconds, std::string> parse_duration(std::string_view text) {
    const auto count = parse_amount(text, kTimeUnits, "a duration like 250ms, 30s, 5m or 24h");
    if (!count) return std::unexpected(count.error());
    return std::chrono::nanoseconds(static_cast<std::int64_t>(*count));
}

std::expected<ByteSize, std::string> parse_size(std::string_view text) {
    const bool plain = !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
    const auto bytes = parse_amount(plain ? std::string(text) + "B" : std::string(text), kSizeUnits,
                                    "a size like 4096, 64KiB, 1MiB or 2GB");
    if (!bytes) return std::unexpected(bytes.error());
    return ByteSize{*bytes};
}

std::string format_duration(std::chrono::nanoseconds duration) {
    if (duration.count() == 0) return "0s";
    return format_amount(static_cast<std::uint64_t>(duration.count()), kTimeUnits);
}

std::string format_size(ByteSize size) {
    return format_amount(size.bytes, kSizeUnits);
}

std::string format_value(const Value& value) {
    return std::visit(Formatter{}, value);
}

}  // namespace sluice::core::config
