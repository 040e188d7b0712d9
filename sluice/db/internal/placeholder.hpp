// The number of a `$n`.
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

namespace sluice::db::internal {

/// `token` is `$` and digits. The error is a message for people: `$0`, or a number beyond 250,000.
[[nodiscard]] std::expected<std::size_t, std::string> placeholder_number(std::string_view token);

}  // namespace sluice::db::internal
