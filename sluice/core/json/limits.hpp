// What a JSON text may be and how a refusal reads.
//
//     core::json::Limits from_a_browser{.bytes = 64 * 1024, .safe_integers = true};
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::core::json {

/// Bounds of one text. Every one is checked while parsing, before the part that exceeds it is kept.
struct Limits {
    std::size_t bytes = 16 * 1024 * 1024;  ///< of the whole text; at most 4 GiB - 1
    std::size_t depth = 64;                ///< of nested arrays and objects
    bool ignore_unknown = false;           ///< members that the struct does not have are skipped, not refused
    bool safe_integers = false;            ///< refuses integers beyond +-(2^53 - 1), which JavaScript cannot hold
};

/// Why a text was refused: `path` is like `$.items[3].quantity`, `message` like `expected an integer, found a string`.
struct DecodeError {
    std::string path;
    std::string message;

    friend bool operator==(const DecodeError&, const DecodeError&) = default;
};

/// "$.items[3].quantity: expected an integer, found a string"
[[nodiscard]] std::string to_string(const DecodeError& error);

/// Appends a member or an element to a path: `.name`, `["odd name"]`, `[3]`.
void append_member(std::string& path, std::string_view name);
void append_element(std::string& path, std::size_t index);

}  // namespace sluice::core::json
