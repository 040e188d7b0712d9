// Text forms of the kinds that a database without them stores as text: timestamps, uuids, arrays.
//
//     format_timestamp(t)                        // "2026-01-02T03:04:05.000006Z"
//     encode_array(std::vector<std::int64_t>{1, 2})   // "[1,2]"
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/db/value.hpp"

namespace sluice::db::internal {

/// ISO 8601, UTC, always six digits of microseconds, so that text order is time order (years 0000 to 9999).
[[nodiscard]] std::string format_timestamp(Timestamp time);
/// Reads what `format_timestamp` writes, with a space for `T`, 0 to 9 digits of fraction (cut to microseconds only when
/// the rest is zero), and `Z`, `±hh:mm` or nothing (UTC) at the end. Empty for anything else.
[[nodiscard]] std::optional<Timestamp> parse_timestamp(std::string_view text);

/// 8-4-4-4-12, lower case.
[[nodiscard]] std::string format_uuid(const Uuid& uuid);
[[nodiscard]] std::optional<Uuid> parse_uuid(std::string_view text);

/// JSON arrays; bytes are lower-case hexadecimal strings.
[[nodiscard]] std::string encode_array(const std::vector<std::int64_t>& array);
[[nodiscard]] std::string encode_array(const std::vector<std::string>& array);
[[nodiscard]] std::string encode_array(const std::vector<Bytes>& array);
/// Empty when `text` is not a JSON array of exactly that kind.
[[nodiscard]] std::optional<std::vector<std::int64_t>> decode_integers(std::string_view text);
[[nodiscard]] std::optional<std::vector<std::string>> decode_texts(std::string_view text);
[[nodiscard]] std::optional<std::vector<Bytes>> decode_bytes_array(std::string_view text);

/// Valid UTF-8 (no surrogates, no overlong forms, at most U+10FFFF) without NUL.
[[nodiscard]] bool is_storable_text(std::string_view text) noexcept;

}  // namespace sluice::db::internal
