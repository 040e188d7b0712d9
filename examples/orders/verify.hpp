// `--verify-projections`: proves that what pages see is what the log says.
#pragma once

#include "sluice/app/app.hpp"

namespace orders {

/// Folds every tenant's log again and compares the states byte for byte. Prints the count of keys, or the keys that
/// differ. Answers the exit code.
int verify_projections(sluice::app::App& shop);

}  // namespace orders
