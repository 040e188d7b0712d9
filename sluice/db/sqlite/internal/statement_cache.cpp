#include "sluice/db/sqlite/internal/statement_cache.hpp"

#include "sluice/core/assert.hpp"

namespace sluice::db::sqlite {

StatementCache::StatementCache(std::size_t limit) : limit_(limit) {
    SLUICE_ASSERT(limit >= 1, "a statement cache of {} entries", limit);
}

Prepared* StatementCache::find(std::string_view sql) {
    const auto found = by_sql_.find(sql);
    if (found == by_sql_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, found->second);
    return &found->second->prepared;
}

Prepared& StatementCache::insert(std::string sql, Prepared prepared) {
    if (entries_.size() == limit_) {
        by_sql_.erase(entries_.back().sql);
        entries_.pop_back();
    }
    entries_.emplace_front(std::move(sql), std::move(prepared));
    by_sql_.emplace(entries_.front().sql, entries_.begin());
    return entries_.front().prepared;
}

}  // namespace sluice::db::sqlite
