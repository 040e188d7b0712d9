// Checked rows: a wrong type, an unexpected null or a missing column is a `query` error that names the column.
//
//     db::Result result = co_await connection.query("select name, stock from article where id = $1", id);
//     for (const db::Row& row : result) use(row.get<std::string>("name"), row.get<std::int64_t>(1));
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/db/value.hpp"

namespace sluice::db {

namespace internal {
template <class T>
struct OptionalTraits {
    static constexpr bool is_optional = false;
    using Inner = T;
};
template <class T>
struct OptionalTraits<std::optional<T>> {
    static constexpr bool is_optional = true;
    using Inner = T;
};
}  // namespace internal

/// Names of a result's columns; shared by its rows.
using Columns = std::vector<std::string>;

/// Those of a result without any; makes nothing, so that results cost nothing until they have columns.
[[nodiscard]] std::shared_ptr<const Columns> no_columns() noexcept;

/// One row. `get<T>` takes bool, std::int64_t, double, std::string, Bytes, Timestamp, Uuid, Json, the three array
/// types, or std::optional of one of them (null becomes an empty one). Conversions that lose nothing are made (a SQLite
/// integer 0/1 read as bool, text read as Json, Uuid or Timestamp, an integer read as double); all else throws.
class Row {
public:
    Row(std::shared_ptr<const Columns> columns, std::vector<Value> values);

    template <class T>
    [[nodiscard]] T get(std::size_t column) const;
    template <class T>
    [[nodiscard]] T get(std::string_view column) const {
        return get<T>(index_of(column));
    }

    [[nodiscard]] const Value& at(std::size_t column) const;
    [[nodiscard]] std::size_t size() const noexcept { return values_.size(); }
    [[nodiscard]] const Columns& columns() const noexcept { return *columns_; }
    /// Throws a `query` error with the names there are.
    [[nodiscard]] std::size_t index_of(std::string_view column) const;

private:
    std::shared_ptr<const Columns> columns_;  // shared by all rows of one result
    std::vector<Value> values_;
};

/// The rows and effects of one statement.
struct Result {
    std::shared_ptr<const Columns> columns = no_columns();
    std::vector<Row> rows;
    std::uint64_t affected = 0;       ///< rows inserted, updated or deleted
    std::int64_t last_insert_id = 0;  ///< SQLite and MariaDB; 0 elsewhere

    [[nodiscard]] auto begin() const noexcept { return rows.begin(); }
    [[nodiscard]] auto end() const noexcept { return rows.end(); }
    [[nodiscard]] bool empty() const noexcept { return rows.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return rows.size(); }
};

/// Converts or throws a `query` error naming `column`. Specialised for every type that `Row::get` lists.
template <class T>
[[nodiscard]] T convert(const Value& value, std::string_view column);

template <class T>
T Row::get(std::size_t column) const {
    const Value& value = at(column);
    if constexpr (internal::OptionalTraits<T>::is_optional) {
        if (value.is_null()) return std::nullopt;
        return convert<typename internal::OptionalTraits<T>::Inner>(value, columns_->at(column));
    } else {
        return convert<T>(value, columns_->at(column));
    }
}

}  // namespace sluice::db
