#include "sluice/projection/internal/row_values.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "sluice/core/json/writer.hpp"

namespace sluice::projection::internal {
namespace {

/// The values of `rows` rows, column by column. A column whose values are no numbers is text, where null is empty.
std::vector<db::Value> arrays_of(std::vector<db::Value> values, std::size_t rows) {
    const std::size_t columns = values.size() / rows;
    std::vector<db::Value> arrays;
    for (std::size_t column = 0; column < columns; ++column) {
        std::vector<std::int64_t> numbers;
        std::vector<std::string> texts;
        for (std::size_t at = column; at < values.size(); at += columns) {
            db::Value::Variant& value = values[at].variant();
            if (const auto* number = std::get_if<std::int64_t>(&value))
                numbers.push_back(*number);
            else if (auto* text = std::get_if<std::string>(&value))
                texts.push_back(std::move(*text));
            else
                texts.emplace_back();
        }
        arrays.push_back(numbers.empty() ? db::Value(std::move(texts)) : db::Value(std::move(numbers)));
    }
    return arrays;
}

/// One JSON array of rows.
std::string json_of(const std::vector<db::Value>& values, std::size_t rows) {
    const std::size_t columns = values.size() / rows;
    std::string text;
    core::json::Writer writer(text);
    writer.begin_array();
    for (std::size_t at = 0; at < values.size(); ++at) {
        if (at % columns == 0) writer.begin_array();
        const db::Value::Variant& value = values[at].variant();
        if (const auto* number = std::get_if<std::int64_t>(&value))
            writer.value(*number);
        else if (const auto* words = std::get_if<std::string>(&value))
            writer.value(std::string_view(*words));
        else
            writer.null();
        if (at % columns == columns - 1) writer.end_array();
    }
    writer.end_array();
    return text;
}

}  // namespace

std::vector<db::Value> in_form(RowForm form, std::vector<db::Value> values, std::size_t rows) {
    if (form == RowForm::values) return values;
    if (form == RowForm::columns) return arrays_of(std::move(values), rows);
    std::vector<db::Value> one;
    one.emplace_back(json_of(values, rows));
    return one;
}

std::size_t text_bytes(std::span<const db::Value> values) {
    std::size_t bytes = 0;
    for (const db::Value& value : values)
        if (const auto* text = std::get_if<std::string>(&value.variant())) bytes += text->size();
    return bytes;
}

}  // namespace sluice::projection::internal
