#include "sluice/db/row.hpp"

#include <cmath>
#include <cstring>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "sluice/db/internal/failures.hpp"
#include "sluice/db/internal/text_codec.hpp"
#include "sluice/db/row_as.hpp"

namespace sluice::db {
namespace {

[[noreturn]] void fail_row(std::string message) {
    throw internal::failure(ErrorKind::query, {}, std::move(message));
}

[[noreturn]] void wrong_type(const Value& value, std::string_view column, std::string_view expected) {
    fail_row(fmt::format("column \"{}\": expected {}, found {}", column, expected, value.type_name()));
}

[[noreturn]] void unreadable(std::string_view column, std::string_view expected, std::string_view found) {
    fail_row(fmt::format("column \"{}\": expected {}, found {} that is not one", column, expected, found));
}

/// The value itself when it has the type, else `parse` of its text.
template <class T, class Parse>
T own_or_parsed(const Value& value, std::string_view column, Parse parse) {
    if (const T* same = std::get_if<T>(&value.variant())) return *same;
    const std::string_view expected = Value(T{}).type_name();
    const std::string* text = std::get_if<std::string>(&value.variant());
    if (text == nullptr) {
        if (const Json* json = std::get_if<Json>(&value.variant())) text = &json->text;
    }
    if (text == nullptr) wrong_type(value, column, expected);
    auto parsed = parse(*text);
    if (!parsed) unreadable(column, expected, value.type_name());
    return std::move(*parsed);
}

constexpr std::int64_t kLargestExactInDouble = std::int64_t{1} << 53;

}  // namespace

std::shared_ptr<const Columns> no_columns() noexcept {
    static const Columns none;
    return {std::shared_ptr<const Columns>(), &none};  // owns nothing: `none` is there until the program ends
}

void internal::out_of_range(std::string_view column, std::int64_t number) {
    fail_row(fmt::format("column \"{}\": {} does not fit the member of that name", column, number));
}

Row::Row(std::shared_ptr<const Columns> columns, std::vector<Value> values)
    : columns_(std::move(columns)), values_(std::move(values)) {}

const Value& Row::at(std::size_t column) const {
    if (column >= values_.size()) {
        fail_row(fmt::format("column {}: the row has {} columns, counted from 0", column, values_.size()));
    }
    return values_[column];
}

std::size_t Row::index_of(std::string_view column) const {
    for (std::size_t i = 0; i < columns_->size(); ++i) {
        if ((*columns_)[i] == column) return i;
    }
    fail_row(fmt::format("column \"{}\": missing; the row has \"{}\"", column, fmt::join(*columns_, "\", \"")));
}

template <>
bool convert<bool>(const Value& value, std::string_view column) {
    if (const bool* same = std::get_if<bool>(&value.variant())) return *same;
    const auto* number = std::get_if<std::int64_t>(&value.variant());
    if (number == nullptr) wrong_type(value, column, "bool");
    if (*number != 0 && *number != 1) unreadable(column, "bool", "integer");
    return *number == 1;
}

template <>
std::int64_t convert<std::int64_t>(const Value& value, std::string_view column) {
    if (const auto* same = std::get_if<std::int64_t>(&value.variant())) return *same;
    if (const bool* flag = std::get_if<bool>(&value.variant())) return *flag ? 1 : 0;
    wrong_type(value, column, "integer");
}

template <>
double convert<double>(const Value& value, std::string_view column) {
    if (const double* same = std::get_if<double>(&value.variant())) return *same;
    const auto* number = std::get_if<std::int64_t>(&value.variant());
    if (number == nullptr) wrong_type(value, column, "real");
    if (*number > kLargestExactInDouble || *number < -kLargestExactInDouble) unreadable(column, "real", "integer");
    return static_cast<double>(*number);
}

template <>
std::string convert<std::string>(const Value& value, std::string_view column) {
    if (const auto* same = std::get_if<std::string>(&value.variant())) return *same;
    if (const auto* json = std::get_if<Json>(&value.variant())) return json->text;
    wrong_type(value, column, "text");
}

template <>
Bytes convert<Bytes>(const Value& value, std::string_view column) {
    if (const auto* same = std::get_if<Bytes>(&value.variant())) return *same;
    wrong_type(value, column, "bytes");
}

template <>
Timestamp convert<Timestamp>(const Value& value, std::string_view column) {
    return own_or_parsed<Timestamp>(value, column, internal::parse_timestamp);
}

template <>
Uuid convert<Uuid>(const Value& value, std::string_view column) {
    if (const auto* blob = std::get_if<Bytes>(&value.variant())) {
        if (blob->size() != 16) unreadable(column, "uuid", "bytes");
        Uuid uuid;
        std::memcpy(uuid.bytes.data(), blob->data(), 16);
        return uuid;
    }
    return own_or_parsed<Uuid>(value, column, internal::parse_uuid);
}

template <>
Json convert<Json>(const Value& value, std::string_view column) {
    if (const auto* same = std::get_if<Json>(&value.variant())) return *same;
    if (const auto* text = std::get_if<std::string>(&value.variant())) return Json{*text};
    wrong_type(value, column, "json");
}

template <>
std::vector<std::int64_t> convert<std::vector<std::int64_t>>(const Value& value, std::string_view column) {
    return own_or_parsed<std::vector<std::int64_t>>(value, column, internal::decode_integers);
}

template <>
std::vector<std::string> convert<std::vector<std::string>>(const Value& value, std::string_view column) {
    return own_or_parsed<std::vector<std::string>>(value, column, internal::decode_texts);
}

template <>
std::vector<Bytes> convert<std::vector<Bytes>>(const Value& value, std::string_view column) {
    return own_or_parsed<std::vector<Bytes>>(value, column, internal::decode_bytes_array);
}

}  // namespace sluice::db
