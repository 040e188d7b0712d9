// Assertions of programming errors, on in every build: a broken invariant stops the process, which is safe to restart
// because whatever was acknowledged is durable.
//
//     SLUICE_ASSERT(begin <= end, "range runs backwards: {}..{}", begin, end);
#pragma once

#include <source_location>
#include <string>

#include <fmt/format.h>

namespace sluice::core {

/// Prints `condition`, `text` and the place to standard error and aborts. Never returns.
[[noreturn]] void assertion_failed(const char* condition, const std::string& text, std::source_location where);

}  // namespace sluice::core

/// Stops the process with the condition, the formatted values and the place unless `condition` holds.
#define SLUICE_ASSERT(condition, ...)                                                                                \
    do {                                                                                                             \
        if (!(condition)) [[unlikely]]                                                                               \
            ::sluice::core::assertion_failed(#condition, fmt::format(__VA_ARGS__), std::source_location::current()); \
    } while (false)
