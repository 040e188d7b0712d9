// Request targets taken apart.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace sluice::http::internal {

/// `%41` becomes `A`; what is not an escape stays. check_head has refused malformed ones.
[[nodiscard]] std::string percent_decode(std::string_view text);

/// The raw path: what stands before '?'.
[[nodiscard]] std::string_view path_of(std::string_view target);
/// Names and values after '?', decoded, '+' as space; the last of repeated names.
[[nodiscard]] std::map<std::string, std::string> query_of(std::string_view target);

}  // namespace sluice::http::internal
