// The tables of projections, for migrate::Runner; docs/projections.md describes each column.
#pragma once

#include <vector>

#include "sluice/migrate/migration.hpp"

namespace sluice::projection {

/// Module "sluice_projection".
[[nodiscard]] std::vector<migrate::Migration> migrations();

}  // namespace sluice::projection
