// A prepared statement's result as rows.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <mysql.h>

#include "sluice/db/row.hpp"

namespace sluice::db::mariadb {

enum class ColumnKind : std::uint8_t { null, integer, real, single, text, bytes, json, uuid, timestamp, date, time };

/// How a column with this description is read. Types without a kind of their own (decimal, enums, …) become text.
[[nodiscard]] ColumnKind kind_of(const MYSQL_FIELD& field);

/// A date or a time of day in its text form; a timestamp. Empty for a date that does not exist (0000-00-00).
[[nodiscard]] std::string date_text(const MYSQL_TIME& time);
[[nodiscard]] std::string time_text(const MYSQL_TIME& time);
[[nodiscard]] std::optional<Timestamp> to_timestamp(const MYSQL_TIME& time);

/// The columns of one result: made when the statement has run and before its result is stored, read after that.
class RowReader {
public:
    /// `names` are those of the statement's last result, and afterwards of this one; most often they are the same.
    RowReader(MYSQL_STMT* statement, std::shared_ptr<const Columns>& names);

    /// Every row. The reason names the column that could not be read.
    [[nodiscard]] std::expected<Result, std::string> read_all();

private:
    struct Column {
        ColumnKind kind = ColumnKind::null;
        bool is_unsigned = false;
        std::int64_t integer = 0;
        double real = 0;
        float single = 0;
        MYSQL_TIME time{};
        unsigned long length = 0;
        my_bool is_null = 0;
        my_bool truncated = 0;
    };
    static void bind(Column& column, MYSQL_BIND& to);
    std::expected<Value, std::string> read(unsigned index);
    std::string read_bytes(unsigned index);

    MYSQL_STMT* statement_;
    std::shared_ptr<const Columns> names_;  // shared by the rows
    std::vector<Column> columns_;           // bound: it never grows after the constructor
};

}  // namespace sluice::db::mariadb
