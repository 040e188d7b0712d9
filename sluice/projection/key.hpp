// What a projection's key may be.
#pragma once

#include <string_view>

namespace sluice::projection {

/// 1–512 bytes of UTF-8 without NUL. Answers what is wrong with `key`, or an empty text.
[[nodiscard]] std::string_view key_defect(std::string_view key) noexcept;

}  // namespace sluice::projection
