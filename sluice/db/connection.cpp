#include "sluice/db/connection.hpp"

#include <fmt/format.h>

#include "sluice/db/error.hpp"
#include "sluice/db/internal/fingerprint.hpp"

namespace sluice::db {

Task<Result> Session::one(Statement statement) {
    std::vector<Statement> statements;
    statements.push_back(std::move(statement));
    std::vector<Result> results = co_await run(std::move(statements));
    co_return std::move(results.front());
}

Task<std::optional<Row>> Session::first(Statement statement) {
    const std::string sql = statement.sql;
    Result result = co_await one(std::move(statement));
    if (result.size() > 1) {
        ErrorDetails details;
        details.message = fmt::format("query_one: {} rows where at most one is expected", result.size());
        details.fingerprint = internal::fingerprint(sql);
        throw Error(ErrorKind::query, std::move(details));
    }
    std::optional<Row> row;
    if (!result.empty()) row = std::move(result.rows.front());
    co_return row;
}

Task<std::uint64_t> Session::affected(Statement statement) {
    const Result result = co_await one(std::move(statement));
    co_return result.affected;
}

}  // namespace sluice::db
