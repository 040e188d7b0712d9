#include "sluice/db/sqlite/internal/guard.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <sqlite3.h>

namespace sluice::db::sqlite {
namespace {

/// With an argument these read or change the file, not the connection.
constexpr std::array<std::string_view, 16> kHarmlessPragmas{
    "table_info",       "table_xinfo",        "table_list",      "index_info",        "index_xinfo",  "index_list",
    "foreign_key_list", "foreign_key_check",  "integrity_check", "quick_check",       "user_version", "application_id",
    "optimize",         "defer_foreign_keys", "database_list",   "incremental_vacuum"};

bool is_harmless(std::string_view pragma) {
    std::string lower(pragma);
    std::ranges::transform(lower, lower.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return std::ranges::find(kHarmlessPragmas, lower) != kHarmlessPragmas.end();
}

}  // namespace

Guard::Guard(sqlite3* handle) {
    sqlite3_set_authorizer(handle, &Guard::authorize, this);
}

std::string Guard::take_refusal() {
    return std::exchange(refusal_, {});
}

int Guard::authorize(void* self, int action, const char* first, const char* second, const char*, const char*) {
    auto* const guard = static_cast<Guard*>(self);
    return guard->trusted_ ? SQLITE_OK : guard->judge(action, first, second);
}

int Guard::refuse(std::string reason) {
    refusal_ = std::move(reason);
    return SQLITE_DENY;
}

int Guard::judge(int action, const char* first, const char* second) {
    switch (action) {
        case SQLITE_TRANSACTION:
            return refuse(fmt::format("{} is not for statements: use DataSource::transaction", first));
        case SQLITE_SAVEPOINT:
            if (std::string_view(second).starts_with(kSavepointPrefix)) return SQLITE_OK;
            return refuse(fmt::format("savepoint {} is not for statements: use UnitOfWork::savepoint", second));
        case SQLITE_ATTACH:
        case SQLITE_DETACH:
            return refuse("ATTACH and DETACH are not for statements: open the file as a data source of its own");
        case SQLITE_PRAGMA:
            if (second == nullptr || is_harmless(first)) return SQLITE_OK;
            return refuse(fmt::format("PRAGMA {} would change a connection that others share", first));
        default:
            return SQLITE_OK;
    }
}

}  // namespace sluice::db::sqlite
