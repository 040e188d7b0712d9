#include "sluice/db/postgres/internal/rows.hpp"

#include <charconv>
#include <string_view>

#include <fmt/format.h>

#include "sluice/db/postgres/internal/decode.hpp"

namespace sluice::db::postgres {
namespace {

/// "INSERT 0 3", "UPDATE 2", "COPY 5"; "SELECT 7" affected nothing.
std::uint64_t affected_of(const PGresult* result) {
    PGresult* const reads_only = const_cast<PGresult*>(result);
    const std::string_view tag = PQcmdStatus(reads_only);
    if (tag.starts_with("SELECT") || tag.starts_with("FETCH") || tag.starts_with("MOVE")) return 0;
    const std::string_view number = PQcmdTuples(reads_only);
    std::uint64_t count = 0;
    std::from_chars(number.data(), number.data() + number.size(), count);
    return count;
}

std::expected<Value, std::string> read_field(const PGresult* result, int row, int column) {
    if (PQgetisnull(result, row, column) != 0) return Value(null);
    const std::string_view data(PQgetvalue(result, row, column),
                                static_cast<std::size_t>(PQgetlength(result, row, column)));
    const Oid type = PQftype(result, column);
    return PQfformat(result, column) == 1 ? decode_binary(type, data) : decode_text(type, data);
}

}  // namespace

std::expected<Result, std::string> read_rows(const PGresult* result) {
    Result rows;
    rows.affected = affected_of(result);
    const int columns = PQnfields(result);
    if (columns == 0) return rows;
    Columns names;
    for (int column = 0; column < columns; ++column)
        names.emplace_back(PQfname(result, column));
    rows.columns = std::make_shared<const Columns>(std::move(names));
    const int count = PQntuples(result);
    rows.rows.reserve(static_cast<std::size_t>(count));
    for (int row = 0; row < count; ++row) {
        std::vector<Value> values;
        values.reserve(static_cast<std::size_t>(columns));
        for (int column = 0; column < columns; ++column) {
            auto value = read_field(result, row, column);
            if (!value)
                return std::unexpected(fmt::format("column \"{}\": {}", PQfname(result, column), value.error()));
            values.push_back(std::move(*value));
        }
        rows.rows.emplace_back(rows.columns, std::move(values));
    }
    return rows;
}

}  // namespace sluice::db::postgres
