// How much a random or a load test does, by what was asked for and by the build.
//
//     for (int round = 0; round < testing::scaled(100); ++round)
#pragma once

#include <string_view>

namespace sluice::testing {

/// `count` in a plain build; ten times as many when SLUICE_TEST_SCALE is `full`, a tenth where a sanitizer slows
/// everything down. At least 1. Throws std::runtime_error when the variable says something else than `small`, `full` or
/// a positive number.
[[nodiscard]] int scaled(int count);

/// What `text`, the value of SLUICE_TEST_SCALE, multiplies sizes by. Pure. Throws like `scaled`.
[[nodiscard]] double scale_of(std::string_view text);

}  // namespace sluice::testing
