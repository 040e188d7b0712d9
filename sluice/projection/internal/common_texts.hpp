// The SQL that SQLite and PostgreSQL share, apart from a few words.
#pragma once

#include <string>

#include "sluice/projection/internal/projection_sql.hpp"

namespace sluice::projection::internal {

struct Words {
    std::string now;       ///< milliseconds since 1970 by the database's clock; one moment per statement
    std::string greatest;  ///< the function that answers the larger of two numbers
};

/// All texts but those over many rows, `read_many`, `load` and what holds.
void fill_common(Texts& t, const Words& words);

}  // namespace sluice::projection::internal
