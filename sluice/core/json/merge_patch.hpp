// RFC 7396 merge patches: what changed between two values, as JSON, and its application.
//
//     core::json::merge_patch(before, after);                                     // {"stock":4,"note":null}
//     core::json::merge_patch_text(R"({"a":1,"b":2})", R"({"a":1,"b":3})");       // {"b":3}
//     core::json::apply_merge_patch(R"({"a":1,"b":2})", R"({"b":null})");         // {"a":1}
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "sluice/core/json/encode.hpp"
#include "sluice/core/json/limits.hpp"

namespace sluice::core::json {

/// The patch that makes `after` out of `before`; `{}` between equal objects. In a merge patch null means "remove", so a
/// changed member of `after` that holds a null inside an object is an error that names it: send the whole value
/// instead.
[[nodiscard]] std::expected<std::string, DecodeError> merge_patch_text(std::string_view before, std::string_view after,
                                                                       const Limits& limits = {});

/// `before` with `patch` applied: kept members stay in place, new ones go to the end.
[[nodiscard]] std::expected<std::string, DecodeError> apply_merge_patch(std::string_view before, std::string_view patch,
                                                                        const Limits& limits = {});

/// As merge_patch_text, between two described values. Only a Raw member can hold the null that cannot be expressed;
/// that throws EncodeError.
template <class T>
[[nodiscard]] std::string merge_patch(const T& before, const T& after) {
    std::expected<std::string, DecodeError> patch = merge_patch_text(encode(before), encode(after));
    if (!patch) throw EncodeError(to_string(patch.error()));
    return std::move(*patch);
}

}  // namespace sluice::core::json
