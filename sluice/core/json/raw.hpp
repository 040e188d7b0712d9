// JSON inside JSON: a member whose shape the program does not look into.
#pragma once

#include <string>

namespace sluice::core::json {

/// Encoded verbatim, so `text` must be one valid JSON value (`compact` checks text from outside). Decoded: the value
/// without spaces, its numbers digit for digit as they came.
struct Raw {
    std::string text = "null";

    friend bool operator==(const Raw&, const Raw&) = default;
};

}  // namespace sluice::core::json
