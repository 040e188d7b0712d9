#include "sluice/db/sqlite/internal/bulk_sql.hpp"

#include <string_view>

#include <fmt/format.h>

#include "sluice/db/internal/text_codec.hpp"

namespace sluice::db::sqlite {
namespace {

std::string quoted(std::string_view name) {
    std::string text = "\"";
    for (char c : name) {
        if (c == '"') text += '"';
        text += c;
    }
    return text + '"';
}

bool is_name(std::string_view name) {
    return !name.empty() && db::internal::is_storable_text(name);
}

}  // namespace

std::expected<std::string, std::string> insert_sql(const BulkInsert& rows) {
    if (!is_name(rows.table)) return std::unexpected("bulk insert: the table's name must be UTF-8 and not empty");
    if (rows.columns.empty()) return std::unexpected(fmt::format("bulk insert into {}: no columns", rows.table));
    std::string names;
    std::string places;
    for (std::size_t i = 0; i < rows.columns.size(); ++i) {
        if (!is_name(rows.columns[i])) {
            return std::unexpected(fmt::format("bulk insert into {}: column {} has no usable name", rows.table, i));
        }
        names += (i == 0 ? "" : ", ") + quoted(rows.columns[i]);
        places += fmt::format("{}${}", i == 0 ? "" : ", ", i + 1);
    }
    for (std::size_t i = 0; i < rows.rows.size(); ++i) {
        if (rows.rows[i].size() != rows.columns.size()) {
            return std::unexpected(fmt::format("bulk insert into {}: row {} has {} values for {} columns", rows.table,
                                               i, rows.rows[i].size(), rows.columns.size()));
        }
    }
    return fmt::format("INSERT INTO {}({}) VALUES ({})", quoted(rows.table), names, places);
}

}  // namespace sluice::db::sqlite
