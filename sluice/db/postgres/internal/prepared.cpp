#include "sluice/db/postgres/internal/prepared.hpp"

#include <utility>

#include <fmt/format.h>

#include "sluice/core/mutant.hpp"

namespace sluice::db::postgres {
namespace {

bool fits(const std::vector<Oid>& prepared, const std::vector<Oid>& given) {
    if (prepared.size() != given.size()) return false;
    for (std::size_t i = 0; i < given.size(); ++i) {
        if (given[i] != kUnknownType && given[i] != prepared[i]) return false;
    }
    return true;
}

}  // namespace

Prepared* PreparedStatements::find(std::string_view sql, const std::vector<Oid>& types) {
    const auto found = by_sql_.find(sql);
    if (found == by_sql_.end() || !fits(found->second->types, types)) return nullptr;
    list_.splice(list_.begin(), list_, found->second);
    return &list_.front();
}

Prepared& PreparedStatements::add(std::string_view sql, const std::vector<Oid>& types) {
    if (const auto same = by_sql_.find(sql); same != by_sql_.end()) remove(same->second);
    if (list_.size() >= limit_) remove(std::prev(list_.end()));
    const std::uint32_t session = core::mutant("postgres_prepared_names_are_common") ? 0 : session_;
    list_.push_front({fmt::format("sluice_{:x}_{}", session, ++named_), std::string(sql), types});
    by_sql_.emplace(list_.front().sql, list_.begin());
    return list_.front();
}

void PreparedStatements::confirm(const std::string& name, bool binary) {
    for (Prepared& each : list_) {
        if (each.name != name) continue;
        each.confirmed = true;
        each.binary = binary;
    }
}

void PreparedStatements::drop(const std::string& name, bool known) {
    for (auto each = list_.begin(); each != list_.end(); ++each) {
        if (each->name != name) continue;
        each->confirmed = known;
        return remove(each);
    }
}

void PreparedStatements::drop_unconfirmed() {
    for (auto each = list_.begin(); each != list_.end();) {
        const auto at = each++;
        if (!at->confirmed) remove(at);
    }
}

std::vector<std::string> PreparedStatements::take_garbage() {
    return std::exchange(garbage_, {});
}

void PreparedStatements::remove(List::iterator at) {
    if (at->confirmed) garbage_.push_back(at->name);
    by_sql_.erase(at->sql);
    list_.erase(at);
}

}  // namespace sluice::db::postgres
