// Request targets taken apart.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace sluice::http::internal {

/// `%41` becomes `A`; what is not an escape stays. check_head has refused malformed ones.
[[nodiscard]] std::string percent_decode(std::string_view text);

/// What a handler sees of `target`, whichever form it came in: `/path?query`, or '*'. check_head has refused others.
[[nodiscard]] std::string origin_form(std::string_view method, std::string_view target);
/// The host and port of a target in absolute form, else nothing.
[[nodiscard]] std::string_view authority_of(std::string_view target);

/// The raw path: what stands before '?'.
[[nodiscard]] std::string_view path_of(std::string_view target);
/// Names and values after '?', decoded, '+' as space; the last of repeated names.
[[nodiscard]] std::map<std::string, std::string> query_of(std::string_view target);

}  // namespace sluice::http::internal
