// What a connection keeps of its prepared statements.
#pragma once

#include <memory>

#include "sluice/db/internal/statement_cache.hpp"
#include "sluice/db/row.hpp"
#include "sluice/db/sqlite/internal/handle.hpp"

namespace sluice::db::sqlite {

/// A prepared statement and what is known about it.
struct Prepared {
    PreparedStatement handle;
    std::size_t placeholders = 0;
    bool read_only = false;
    std::shared_ptr<const Columns> columns;  // shared with the results
    int reprepared = 0;                      ///< SQLite's count when `columns` was read
};

using StatementCache = db::internal::StatementCache<Prepared>;

}  // namespace sluice::db::sqlite
