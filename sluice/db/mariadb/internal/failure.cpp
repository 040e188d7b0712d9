#include "sluice/db/mariadb/internal/failure.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "sluice/db/internal/failures.hpp"
#include "sluice/db/internal/fingerprint.hpp"

namespace sluice::db::mariadb {
namespace {

constexpr std::string_view kForKey = "' for key '";

/// Messages of these quote names only.
constexpr std::array<unsigned, 2> kNamesOnly{1048, 1364};
/// These quote the statement, literals included.
constexpr std::array<unsigned, 2> kQuoteStatement{1064, 1149};

std::string_view advice_for(ErrorKind kind) {
    switch (kind) {
        case ErrorKind::permission:
            return "the server refuses the user, the password or the database to that user";
        case ErrorKind::config:
            return "the server has no such database, or wants a way to authenticate that this client has not";
        case ErrorKind::pool_exhausted:
            return "the server has no free connection; lower `max` of the pools or raise max_connections";
        default:
            return "the server refuses connections";
    }
}

bool may_quote_values(const Said& said) {
    if (std::ranges::find(kNamesOnly, said.code) != kNamesOnly.end()) return false;
    if (std::ranges::find(kQuoteStatement, said.code) != kQuoteStatement.end()) return true;
    return said.sqlstate.starts_with("22") || said.sqlstate.starts_with("23");
}

ErrorDetails details_of(const Said& said, std::string_view source, std::string message) {
    ErrorDetails details;
    details.source = source;
    if (said.code != 0) details.code = std::to_string(said.code);
    details.message = std::move(message);
    return details;
}

}  // namespace

std::string without_values(const Said& said) {
    std::string text(said.message.substr(0, said.message.find('\n')));
    if (!may_quote_values(said)) return text;
    const std::size_t first = text.find('\'');
    // "Duplicate entry '…' for key 'PRIMARY'": the value may hold anything, the key's name stays.
    const std::size_t key = text.rfind(kForKey);
    const std::size_t last = key == std::string::npos ? text.rfind('\'') : key;
    if (first == std::string::npos || first >= last) return text.substr(0, first);
    return text.substr(0, first) + "?" + text.substr(last + 1);
}

Error error_of(const Said& said, std::string_view source, std::string_view sql) {
    ErrorDetails details = details_of(said, source, without_values(said));
    details.fingerprint = db::internal::fingerprint(sql);
    return Error(classify(said), std::move(details));
}

Error connect_error(const Said& said, std::string_view source, std::string_view place) {
    const ErrorKind kind = classify(said);
    // The server's own words name the user.
    const bool refused =
        kind == ErrorKind::permission || kind == ErrorKind::config || kind == ErrorKind::pool_exhausted;
    const std::string_view why = refused || said.code < 2'000 ? advice_for(kind) : said.message;
    const ErrorKind told = kind == ErrorKind::other ? ErrorKind::connection : kind;
    return Error(told, details_of(said, source, fmt::format("cannot connect to {}: {}", place, why)));
}

Error lost_error(const Said& said, std::string_view source) {
    const std::string_view why = said.message.empty() ? std::string_view("no answer in time") : said.message;
    const ErrorKind kind = said.code == 0 ? ErrorKind::connection : classify(said);
    return Error(kind, details_of(said, source, fmt::format("the connection was lost: {}", why)));
}

Error refused_statement(std::string message, std::string_view source, std::string_view sql) {
    ErrorDetails details;
    details.source = source;
    details.message = std::move(message);
    details.fingerprint = db::internal::fingerprint(sql);
    return Error(ErrorKind::query, std::move(details));
}

}  // namespace sluice::db::mariadb
