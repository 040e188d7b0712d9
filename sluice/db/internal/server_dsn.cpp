#include "sluice/db/internal/server_dsn.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>

namespace sluice::db::internal {
namespace {

using Refusal = std::unexpected<std::string>;

int digit_of(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

std::optional<std::string> decode_percent(std::string_view text) {
    std::string decoded;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            decoded += text[i];
            continue;
        }
        if (i + 2 >= text.size()) return std::nullopt;
        const int high = digit_of(text[i + 1]);
        const int low = digit_of(text[i + 2]);
        // A NUL would end the value early inside the client library.
        if (high < 0 || low < 0 || high + low == 0) return std::nullopt;
        decoded += static_cast<char>(high * 16 + low);
        i += 2;
    }
    return decoded;
}

/// Cuts `text` at the first `mark`; the rest without it, or nothing if there is none.
std::optional<std::string_view> cut_at(std::string_view& text, char mark) {
    const std::size_t at = text.find(mark);
    if (at == std::string_view::npos) return std::nullopt;
    const std::string_view rest = text.substr(at + 1);
    text = text.substr(0, at);
    return rest;
}

bool is_port(std::string_view text) {
    unsigned port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    return error == std::errc{} && end == text.data() + text.size() && port >= 1 && port <= 65'535;
}

/// The parts of the string, still percent-encoded.
struct Parts {
    std::string_view user;
    std::string_view password;
    std::string_view host;
    std::string_view port;
    std::string_view database;
    std::string_view query;
};

std::optional<Parts> split_parts(std::string_view rest) {
    Parts parts;
    if (const auto query = cut_at(rest, '?')) parts.query = *query;
    // A raw `?`, `/` or `@` in a password would move its rest into a part that messages show.
    if (parts.query.find('@') != std::string_view::npos) return std::nullopt;
    if (const auto database = cut_at(rest, '/')) parts.database = *database;
    if (parts.database.find_first_of("@/") != std::string_view::npos) return std::nullopt;
    if (auto host = cut_at(rest, '@')) {
        parts.user = rest;
        if (const auto password = cut_at(parts.user, ':')) parts.password = *password;
        rest = *host;
    }
    if (rest.find('@') != std::string_view::npos) return std::nullopt;
    if (rest.starts_with('[')) {
        rest.remove_prefix(1);
        const auto after = cut_at(rest, ']');
        if (!after || (!after->empty() && !after->starts_with(':'))) return std::nullopt;
        parts.host = rest;
        parts.port = after->empty() ? *after : after->substr(1);
    } else {
        parts.host = rest;
        if (const auto port = cut_at(parts.host, ':')) parts.port = *port;
    }
    return parts;
}

std::optional<std::string> add_keywords(ServerDsn& dsn, std::string_view query,
                                        std::span<const std::string_view> known) {
    while (!query.empty()) {
        std::string_view item = query;
        query = cut_at(item, '&').value_or(std::string_view());
        std::string_view keyword = item;
        const auto encoded = cut_at(keyword, '=');
        if (std::ranges::find(known, keyword) == known.end())
            return fmt::format("the keyword \"{}\" is not one that may follow `?`", keyword);
        const auto value = encoded ? decode_percent(*encoded) : std::nullopt;
        if (!value) return fmt::format("the value of \"{}\" is missing or wrongly percent-encoded", keyword);
        dsn.keywords.emplace_back(keyword, *value);
    }
    return std::nullopt;
}

}  // namespace

std::string ServerDsn::place() const {
    return fmt::format("{}:{}/{}", host, port, database);
}

std::expected<ServerDsn, std::string> parse_server_dsn(std::string_view text, std::string_view default_port,
                                                       std::span<const std::string_view> known) {
    const auto parts = split_parts(text);
    if (!parts) {
        return Refusal("the string is not user:password@host:port/database; percent-encode / ? @ : in its parts");
    }
    const auto user = decode_percent(parts->user);
    const auto password = decode_percent(parts->password);
    const auto host = decode_percent(parts->host);
    const auto database = decode_percent(parts->database);
    if (!user || !password || !host || !database) return Refusal("a part is wrongly percent-encoded");
    if (host->empty()) return Refusal("the host is missing");
    if (host->find(',') != std::string::npos) return Refusal("one host is expected; a replica has a string of its own");
    if (user->empty()) return Refusal("the user is missing");
    if (database->empty()) return Refusal("the database is missing");
    if (!parts->port.empty() && !is_port(parts->port)) return Refusal("the port is not in 1..65535");
    ServerDsn dsn{*user,     *password, *host, std::string(parts->port.empty() ? default_port : parts->port),
                  *database, {}};
    if (auto refused = add_keywords(dsn, parts->query, known)) return Refusal(std::move(*refused));
    return dsn;
}

}  // namespace sluice::db::internal
