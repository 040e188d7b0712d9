// The SQL that the databases share, apart from a few words; what one of them says otherwise, it replaces.
#pragma once

#include <string>

#include "sluice/projection/internal/projection_sql.hpp"

namespace sluice::projection::internal {

struct Words {
    std::string now;       ///< milliseconds since 1970 by the database's clock; one moment per statement
    std::string greatest;  ///< the function that answers the larger of two numbers
    std::string alone;     ///< how often somebody has held the projection alone, as far as the unit sees; $1 projection
    std::string or_nothing = "on conflict do nothing";  ///< behind an insert: a row that is there stays
};

/// All texts but those over many rows, `read_many`, `load` and what holds.
void fill_common(Texts& t, const Words& words);

}  // namespace sluice::projection::internal
