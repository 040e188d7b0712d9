#include "sluice/db/internal/value_rules.hpp"

#include <cmath>

#include <fmt/format.h>

#include "sluice/db/internal/text_codec.hpp"

namespace sluice::db::internal {
namespace {

std::optional<std::string> text_refusal(const std::string& text) {
    if (is_storable_text(text)) return std::nullopt;
    return "text must be UTF-8 without NUL";
}

struct Refuser {
    std::optional<std::string> operator()(double value) const {
        // SQLite would store it as NULL.
        if (std::isnan(value)) return "a real that is not a number cannot be stored";
        return std::nullopt;
    }
    std::optional<std::string> operator()(const std::string& text) const { return text_refusal(text); }
    std::optional<std::string> operator()(const Json& json) const { return text_refusal(json.text); }
    std::optional<std::string> operator()(Timestamp time) const {
        constexpr Timestamp kFirst = std::chrono::sys_days{std::chrono::year{0} / 1 / 1};
        constexpr Timestamp kEnd = std::chrono::sys_days{std::chrono::year{10'000} / 1 / 1};
        if (time < kFirst || time >= kEnd) return "a timestamp must be in the years 0000 to 9999";
        return std::nullopt;
    }
    std::optional<std::string> operator()(const std::vector<std::string>& array) const {
        for (const std::string& text : array) {
            if (auto refused = text_refusal(text)) return refused;
        }
        return std::nullopt;
    }
    template <class Other>
    std::optional<std::string> operator()(const Other&) const {
        return std::nullopt;
    }
};

bool is_name(std::string_view name) {
    return !name.empty() && is_storable_text(name);
}

}  // namespace

std::optional<std::string> refusal(const Value& value) {
    return std::visit(Refuser{}, value.variant());
}

std::optional<std::string> refusal(const BulkInsert& rows) {
    if (!is_name(rows.table)) return "bulk insert: the table's name must be UTF-8 and not empty";
    if (rows.columns.empty()) return fmt::format("bulk insert into {}: no columns", rows.table);
    for (std::size_t i = 0; i < rows.columns.size(); ++i) {
        if (!is_name(rows.columns[i])) {
            return fmt::format("bulk insert into {}: column {} has no usable name", rows.table, i);
        }
    }
    for (std::size_t i = 0; i < rows.rows.size(); ++i) {
        if (rows.rows[i].size() != rows.columns.size()) {
            return fmt::format("bulk insert into {}: row {} has {} values for {} columns", rows.table, i,
                               rows.rows[i].size(), rows.columns.size());
        }
    }
    return std::nullopt;
}

std::string quoted(std::string_view name) {
    std::string text = "\"";
    for (char c : name) {
        if (c == '"') text += '"';
        text += c;
    }
    return text + '"';
}

}  // namespace sluice::db::internal
