// What a setting can hold and how people write it: `30s`, `1MiB`, `true`.
//
//     core::config::parse_duration("1500ms");      // 1.5 s
//     core::config::parse_size("64KiB");           // 65,536 bytes
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace sluice::core::config {

/// A number of bytes that people write with a unit.
struct ByteSize {
    std::uint64_t bytes = 0;
    friend bool operator==(ByteSize, ByteSize) = default;
};

using Value =
    std::variant<bool, std::int64_t, double, std::string, std::chrono::nanoseconds, ByteSize, std::vector<std::string>>;

/// A whole number and one of ns, us, ms, s, m, h, d. The error says what is expected.
[[nodiscard]] std::expected<std::chrono::nanoseconds, std::string> parse_duration(std::string_view text);
/// A whole number of bytes, or one with KiB, MiB, GiB, kB, MB or GB.
[[nodiscard]] std::expected<ByteSize, std::string> parse_size(std::string_view text);

/// In the largest unit that leaves a whole number; reads back as the same value.
[[nodiscard]] std::string format_duration(std::chrono::nanoseconds duration);
[[nodiscard]] std::string format_size(ByteSize size);
/// As TOML writes it; durations and sizes as text.
[[nodiscard]] std::string format_value(const Value& value);

}  // namespace sluice::core::config
