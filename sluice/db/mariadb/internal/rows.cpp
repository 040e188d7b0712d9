#include "sluice/db/mariadb/internal/rows.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "sluice/db/internal/text_codec.hpp"

namespace sluice::db::mariadb {
namespace {

constexpr unsigned kBinaryCharset = 63;

using MetadataHandle = std::unique_ptr<MYSQL_RES, decltype([](MYSQL_RES* result) { mysql_free_result(result); })>;

bool has_attribute(const MYSQL_FIELD& field, mariadb_field_attr_t which, std::string_view wanted) {
    MARIADB_CONST_STRING found{};
    return mariadb_field_attr(&found, &field, which) == 0 && std::string_view(found.str, found.length) == wanted;
}

ColumnKind kind_of_string(const MYSQL_FIELD& field) {
    if (has_attribute(field, MARIADB_FIELD_ATTR_FORMAT_NAME, "json")) return ColumnKind::json;
    if (has_attribute(field, MARIADB_FIELD_ATTR_DATA_TYPE_NAME, "uuid")) return ColumnKind::uuid;
    return field.charsetnr == kBinaryCharset ? ColumnKind::bytes : ColumnKind::text;
}

std::string_view name_of(const MYSQL_FIELD& field) {
    return {field.name, field.name_length};
}

bool has_names(const Columns& names, std::span<const MYSQL_FIELD> fields) {
    return std::ranges::equal(names, fields, {}, {}, name_of);
}

}  // namespace

ColumnKind kind_of(const MYSQL_FIELD& field) {
    switch (field.type) {
        case MYSQL_TYPE_NULL:
            return ColumnKind::null;
        case MYSQL_TYPE_TINY:
        case MYSQL_TYPE_SHORT:
        case MYSQL_TYPE_INT24:
        case MYSQL_TYPE_LONG:
        case MYSQL_TYPE_LONGLONG:
        case MYSQL_TYPE_YEAR:
            return ColumnKind::integer;
        case MYSQL_TYPE_FLOAT:
            return ColumnKind::single;
        case MYSQL_TYPE_DOUBLE:
            return ColumnKind::real;
        case MYSQL_TYPE_DECIMAL:
        case MYSQL_TYPE_NEWDECIMAL:
            return ColumnKind::text;
        case MYSQL_TYPE_TIMESTAMP:
        case MYSQL_TYPE_DATETIME:
            return ColumnKind::timestamp;
        case MYSQL_TYPE_DATE:
        case MYSQL_TYPE_NEWDATE:
            return ColumnKind::date;
        case MYSQL_TYPE_TIME:
            return ColumnKind::time;
        case MYSQL_TYPE_BIT:
        case MYSQL_TYPE_GEOMETRY:
            return ColumnKind::bytes;
        default:
            return kind_of_string(field);
    }
}

std::string date_text(const MYSQL_TIME& time) {
    return fmt::format("{:04}-{:02}-{:02}", time.year, time.month, time.day);
}

std::string time_text(const MYSQL_TIME& time) {
    std::string text = fmt::format("{}{:02}:{:02}:{:02}", time.neg != 0 ? "-" : "", time.hour + 24 * time.day,
                                   time.minute, time.second);
    if (time.second_part != 0) text += fmt::format(".{:06}", time.second_part);
    return text;
}

std::optional<Timestamp> to_timestamp(const MYSQL_TIME& time) {
    const std::chrono::year_month_day date{std::chrono::year{static_cast<int>(time.year)},
                                           std::chrono::month{time.month}, std::chrono::day{time.day}};
    if (!date.ok()) return std::nullopt;
    return Timestamp{std::chrono::sys_days{date}} + std::chrono::hours{time.hour} + std::chrono::minutes{time.minute} +
           std::chrono::seconds{time.second} + std::chrono::microseconds{time.second_part};
}

RowReader::RowReader(MYSQL_STMT* statement, std::shared_ptr<const Columns>& names) : statement_(statement) {
    const MetadataHandle metadata(mysql_stmt_result_metadata(statement));
    const unsigned count = metadata ? mysql_num_fields(metadata.get()) : 0;
    const std::span<const MYSQL_FIELD> fields(count > 0 ? mysql_fetch_fields(metadata.get()) : nullptr, count);
    if (!names || !has_names(*names, fields)) {
        Columns other;
        for (const MYSQL_FIELD& field : fields)
            other.emplace_back(name_of(field));
        names = std::make_shared<const Columns>(std::move(other));
    }
    names_ = names;
    columns_.resize(count);
    std::vector<MYSQL_BIND> bindings(count);
    for (unsigned i = 0; i < count; ++i) {
        columns_[i].kind = kind_of(fields[i]);
        columns_[i].is_unsigned = (fields[i].flags & UNSIGNED_FLAG) != 0;
        bind(columns_[i], bindings[i]);
    }
    if (count > 0) mysql_stmt_bind_result(statement, bindings.data());
}

void RowReader::bind(Column& column, MYSQL_BIND& to) {
    to = MYSQL_BIND{};
    to.length = &column.length;
    to.is_null = &column.is_null;
    to.error = &column.truncated;
    to.is_unsigned = column.is_unsigned ? 1 : 0;
    const auto bind_to = [&to](enum_field_types type, void* buffer, std::size_t size) {
        to.buffer_type = type;
        to.buffer = buffer;
        to.buffer_length = size;
    };
    switch (column.kind) {
        case ColumnKind::integer:
            return bind_to(MYSQL_TYPE_LONGLONG, &column.integer, sizeof column.integer);
        case ColumnKind::real:
            return bind_to(MYSQL_TYPE_DOUBLE, &column.real, sizeof column.real);
        case ColumnKind::single:
            return bind_to(MYSQL_TYPE_FLOAT, &column.single, sizeof column.single);
        case ColumnKind::timestamp:
            return bind_to(MYSQL_TYPE_DATETIME, &column.time, sizeof column.time);
        case ColumnKind::date:
            return bind_to(MYSQL_TYPE_DATE, &column.time, sizeof column.time);
        case ColumnKind::time:
            return bind_to(MYSQL_TYPE_TIME, &column.time, sizeof column.time);
        default:
            // Nothing is read but the length; then as much as there is.
            return bind_to(MYSQL_TYPE_BLOB, &column.length, 0);
    }
}

std::expected<Result, std::string> RowReader::read_all() {
    Result result;
    result.columns = names_;
    result.rows.reserve(mysql_stmt_num_rows(statement_));
    for (;;) {
        const int fetched = mysql_stmt_fetch(statement_);
        if (fetched == MYSQL_NO_DATA) break;
        if (fetched != 0 && fetched != MYSQL_DATA_TRUNCATED) return std::unexpected("a row could not be read");
        std::vector<Value> values;
        values.reserve(columns_.size());
        for (unsigned i = 0; i < columns_.size(); ++i) {
            auto value = read(i);
            if (!value) return std::unexpected(fmt::format("column \"{}\": {}", (*names_)[i], value.error()));
            values.push_back(std::move(*value));
        }
        result.rows.emplace_back(result.columns, std::move(values));
    }
    return result;
}

std::expected<Value, std::string> RowReader::read(unsigned index) {
    const Column& column = columns_[index];
    if (column.is_null != 0 || column.kind == ColumnKind::null) return Value(null);
    switch (column.kind) {
        case ColumnKind::integer:
            if (column.is_unsigned && column.integer < 0)
                return std::unexpected("an integer beyond 64 bits with a sign");
            return Value(column.integer);
        case ColumnKind::real:
            return Value(column.real);
        case ColumnKind::single:
            return Value(static_cast<double>(column.single));
        case ColumnKind::timestamp: {
            const auto time = to_timestamp(column.time);
            if (!time) return std::unexpected("a timestamp that does not exist");
            return Value(*time);
        }
        case ColumnKind::date:
            return Value(date_text(column.time));
        case ColumnKind::time:
            return Value(time_text(column.time));
        case ColumnKind::bytes:
            return Value(to_bytes(read_bytes(index)));
        case ColumnKind::json:
            return Value(Json{read_bytes(index)});
        case ColumnKind::uuid: {
            const auto uuid = db::internal::parse_uuid(read_bytes(index));
            if (!uuid) return std::unexpected("a uuid that is not one");
            return Value(*uuid);
        }
        default:
            return Value(read_bytes(index));
    }
}

std::string RowReader::read_bytes(unsigned index) {
    std::string bytes(columns_[index].length, '\0');
    if (bytes.empty()) return bytes;
    MYSQL_BIND bind{};
    unsigned long length = 0;
    my_bool is_null = 0;
    my_bool truncated = 0;
    bind.buffer_type = MYSQL_TYPE_BLOB;
    bind.buffer = bytes.data();
    bind.buffer_length = bytes.size();
    bind.length = &length;
    bind.is_null = &is_null;
    bind.error = &truncated;
    mysql_stmt_fetch_column(statement_, &bind, index, 0);
    return bytes;
}

}  // namespace sluice::db::mariadb
