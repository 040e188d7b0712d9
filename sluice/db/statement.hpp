// A statement with its values. Placeholders are `$1..$n` on every database; the driver translates.
#pragma once

#include <string>
#include <vector>

#include "sluice/db/value.hpp"

namespace sluice::db {

enum class Dialect : std::uint8_t { sqlite, postgres, mariadb };

/// Values are always bound, never spliced into the text.
struct Statement {
    std::string sql;
    std::vector<Value> values;
};

/// `statement("select $1", 3)` without a braced list, which g++ 12 mishandles inside `co_await`.
template <class... Args>
[[nodiscard]] Statement statement(std::string sql, Args&&... args) {
    Statement made{std::move(sql), {}};
    made.values.reserve(sizeof...(Args));
    (made.values.emplace_back(std::forward<Args>(args)), ...);
    return made;
}

/// Many rows for one table; every row has one value per column.
struct BulkInsert {
    std::string table;
    std::vector<std::string> columns;
    std::vector<std::vector<Value>> rows;
};

}  // namespace sluice::db
