// Prepared statements of one connection, by their text; the least recently used one goes when the limit is reached.
#pragma once

#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "sluice/core/assert.hpp"

namespace sluice::db::internal {

/// Invariant: at most `limit` statements, each under the text it was prepared from. Not thread-safe.
template <class Prepared>
class StatementCache {
public:
    /// `limit` >= 1.
    explicit StatementCache(std::size_t limit) : limit_(limit) {
        SLUICE_ASSERT(limit >= 1, "a statement cache of {} entries", limit);
    }

    /// The statement of `sql`, now the most recently used, or null.
    [[nodiscard]] Prepared* find(std::string_view sql) {
        const auto found = by_sql_.find(sql);
        if (found == by_sql_.end()) return nullptr;
        entries_.splice(entries_.begin(), entries_, found->second);
        return &found->second->prepared;
    }
    /// Takes `prepared` in; `sql` must not be there yet. Valid until the next insert.
    Prepared& insert(std::string sql, Prepared prepared) {
        if (entries_.size() == limit_) {
            by_sql_.erase(entries_.back().sql);
            entries_.pop_back();
        }
        entries_.emplace_front(std::move(sql), std::move(prepared));
        by_sql_.emplace(entries_.front().sql, entries_.begin());
        return entries_.front().prepared;
    }
    /// Takes out what is out of date.
    void erase(std::string_view sql) {
        const auto found = by_sql_.find(sql);
        if (found == by_sql_.end()) return;
        const auto entry = found->second;
        by_sql_.erase(found);
        entries_.erase(entry);
    }

    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

private:
    struct Entry {
        std::string sql;
        Prepared prepared;
    };
    std::size_t limit_;
    std::list<Entry> entries_;                                                          // most recently used first
    std::unordered_map<std::string_view, typename std::list<Entry>::iterator> by_sql_;  // views into entries_
};

}  // namespace sluice::db::internal
