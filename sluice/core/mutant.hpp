// Planted defects that prove the tests test: one build (SLUICE_MUTANTS) contains them all and the environment variable
// SLUICE_MUTANT picks one by name. Every other build contains none.
//
//     if (core::mutant("publish_before_commit")) …      // constant false unless built with SLUICE_MUTANTS
#pragma once

#include <string_view>

namespace sluice::core {

#ifdef SLUICE_MUTANTS
[[nodiscard]] bool mutant(std::string_view name) noexcept;
#else
[[nodiscard]] constexpr bool mutant(std::string_view) noexcept {
    return false;
}
#endif

}  // namespace sluice::core
