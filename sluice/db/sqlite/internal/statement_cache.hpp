// Prepared statements of one connection, by their text; the least recently used one goes when the limit is reached.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

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

/// Invariant: at most `limit` statements, each under the text it was prepared from. Not thread-safe.
class StatementCache {
public:
    /// `limit` >= 1.
    explicit StatementCache(std::size_t limit);

    /// The statement of `sql`, now the most recently used, or null.
    [[nodiscard]] Prepared* find(std::string_view sql);
    /// Takes `prepared` in; `sql` must not be there yet. Valid until the next insert.
    Prepared& insert(std::string sql, Prepared prepared);

    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

private:
    struct Entry {
        std::string sql;
        Prepared prepared;
    };
    std::size_t limit_;
    std::list<Entry> entries_;                                                 // most recently used first
    std::unordered_map<std::string_view, std::list<Entry>::iterator> by_sql_;  // views into entries_
};

}  // namespace sluice::db::sqlite
