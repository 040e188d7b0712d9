#include "sluice/db/sqlite/internal/bulk_sql.hpp"

#include <fmt/format.h>

#include "sluice/db/internal/value_rules.hpp"

namespace sluice::db::sqlite {

std::expected<std::string, std::string> insert_sql(const BulkInsert& rows) {
    if (auto refused = db::internal::refusal(rows)) return std::unexpected(std::move(*refused));
    std::string names;
    std::string places;
    for (std::size_t i = 0; i < rows.columns.size(); ++i) {
        names += (i == 0 ? "" : ", ") + db::internal::quoted(rows.columns[i]);
        places += fmt::format("{}${}", i == 0 ? "" : ", ", i + 1);
    }
    return fmt::format("INSERT INTO {}({}) VALUES ({})", db::internal::quoted(rows.table), names, places);
}

}  // namespace sluice::db::sqlite
