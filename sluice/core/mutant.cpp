#include "sluice/core/mutant.hpp"

#ifdef SLUICE_MUTANTS

#include <cstdlib>

namespace sluice::core {

bool mutant(std::string_view name) noexcept {
    static const char* const chosen = std::getenv("SLUICE_MUTANT");
    return chosen != nullptr && name == chosen;
}

}  // namespace sluice::core

#endif
