// Asks a database for the facts that `judgement.hpp` judges.
#pragma once

#include <vector>

#include "cli/judgement.hpp"
#include "sluice/db/data_source.hpp"

namespace sluice::cli {

/// Connects and asks; changes nothing that lasts. Throws db::Error when the database cannot be reached.
db::Task<std::vector<Finding>> examine(db::DataSource& source);

}  // namespace sluice::cli
