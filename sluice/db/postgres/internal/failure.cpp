#include "sluice/db/postgres/internal/failure.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "sluice/db/internal/failures.hpp"
#include "sluice/db/internal/fingerprint.hpp"
#include "sluice/db/postgres/internal/classify.hpp"

namespace sluice::db::postgres {
namespace {

std::string_view field_of(const PGresult* result, int field) {
    const char* const text = PQresultErrorField(result, field);
    return text == nullptr ? std::string_view() : std::string_view(text);
}

std::string_view first_line(std::string_view text) {
    return text.substr(0, text.find('\n'));
}

bool is_code_character(char c) noexcept {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
}

std::string_view advice_for(ErrorKind kind) {
    switch (kind) {
        case ErrorKind::permission:
            return "the server refuses the user or the password";
        case ErrorKind::config:
            return "the server has no such database";
        case ErrorKind::pool_exhausted:
            return "the server has no free connection; lower `max` of the pools or raise max_connections";
        default:
            return "the server refuses connections";
    }
}

}  // namespace

std::string without_values(std::string_view sqlstate, std::string_view message) {
    std::string text(first_line(message));
    // Only data exceptions quote data; other messages quote names.
    if (!sqlstate.starts_with("22")) return text;
    const std::size_t first = text.find('"');
    const std::size_t last = text.rfind('"');
    if (first == std::string::npos || first == last) return text;
    return text.substr(0, first) + "?" + text.substr(last + 1);
}

std::string_view sqlstate_of(std::string_view connection_message) {
    const std::string_view line = first_line(connection_message);
    if (line.size() < 7) return {};
    const std::string_view code = line.substr(line.size() - 5);
    const bool stands_alone = line[line.size() - 6] == ' ';
    return stands_alone && std::ranges::all_of(code, is_code_character) ? code : std::string_view();
}

Error error_of(const PGresult* result, std::string_view source, std::string_view sql) {
    const std::string_view sqlstate = field_of(result, PG_DIAG_SQLSTATE);
    ErrorDetails details;
    details.source = source;
    details.code = sqlstate;
    details.message = without_values(sqlstate, field_of(result, PG_DIAG_MESSAGE_PRIMARY));
    if (details.message.empty()) details.message = first_line(PQresultErrorMessage(result));
    if (sqlstate == "25P02") {
        details.message += "; a statement before it failed: put what may fail into a savepoint";
    }
    if (sqlstate == "26000") details.message += "; behind a pooler in transaction mode set `statement_cache` to 0";
    details.fingerprint = db::internal::fingerprint(sql);
    const ErrorKind kind = classify(sqlstate);
    return Error(kind, std::move(details));
}

Error connect_error(const PGconn* connection, std::string_view source, std::string_view place) {
    const std::string_view text = PQerrorMessage(connection);
    const std::string_view sqlstate = sqlstate_of(text);
    ErrorDetails details;
    details.source = source;
    details.code = sqlstate;
    if (!sqlstate.empty()) {
        const ErrorKind kind = classify(sqlstate);
        details.message = fmt::format("cannot connect to {}: {}", place, advice_for(kind));
        return Error(kind, std::move(details));
    }
    if (PQconnectionNeedsPassword(connection) != 0) {
        details.message =
            fmt::format("cannot connect to {}: the server wants a password and the string has none", place);
        return Error(ErrorKind::permission, std::move(details));
    }
    details.message = fmt::format("cannot connect to {}: {}", place, first_line(text));
    return Error(ErrorKind::connection, std::move(details));
}

Error lost_error(std::string_view source, std::string_view why) {
    return db::internal::failure(ErrorKind::connection, source,
                                 fmt::format("the connection was lost: {}", first_line(why)));
}

}  // namespace sluice::db::postgres
