#include "sluice/db/mariadb/internal/dsn.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

namespace sluice::db::mariadb {
namespace {

using Refusal = std::unexpected<std::string>;

constexpr std::array<std::string_view, 6> kKeywords{"max_statement_time", "sslcert",    "sslkey", "sslmode",
                                                    "sslrootcert",        "tls_version"};

/// It goes into the text that sets up a session.
bool is_seconds(std::string_view text) {
    const bool plain = std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
    return plain && !text.empty() && text.size() <= 12 && std::ranges::count(text, '.') <= 1 && text.front() != '.' &&
           text.back() != '.';
}

/// Why the keyword's value is refused; empty if it is not.
std::string take_keyword(Dsn& dsn, std::string_view keyword, const std::string& value) {
    if (keyword == "sslrootcert") dsn.root_certificate = value;
    if (keyword == "sslcert") dsn.certificate = value;
    if (keyword == "sslkey") dsn.key = value;
    if (keyword == "tls_version") dsn.tls_versions = value;
    if (keyword == "max_statement_time") {
        if (!is_seconds(value)) return "`max_statement_time` is a number of seconds";
        dsn.max_statement_time = value;
    }
    if (keyword == "sslmode") {
        if (value == "disable") {
            dsn.tls = TlsMode::disable;
        } else if (value == "require") {
            dsn.tls = TlsMode::require;
        } else if (value == "verify-full") {
            dsn.tls = TlsMode::verify_full;
        } else {
            return "`sslmode` is disable, require or verify-full";
        }
    }
    return {};
}

bool has_tls_files(const Dsn& dsn) {
    return !dsn.root_certificate.empty() || !dsn.certificate.empty() || !dsn.key.empty() || !dsn.tls_versions.empty();
}

}  // namespace

std::expected<Dsn, std::string> parse_dsn(std::string_view text) {
    for (std::string_view scheme : {"mariadb://", "mysql://"}) {
        if (!text.starts_with(scheme)) continue;
        auto server = db::internal::parse_server_dsn(text.substr(scheme.size()), "3306", kKeywords);
        if (!server) return Refusal(std::move(server.error()));
        Dsn dsn;
        dsn.server = std::move(*server);
        dsn.place = dsn.server.place();
        std::from_chars(dsn.server.port.data(), dsn.server.port.data() + dsn.server.port.size(), dsn.port);
        for (const auto& [keyword, value] : dsn.server.keywords) {
            if (std::string refused = take_keyword(dsn, keyword, value); !refused.empty())
                return Refusal(std::move(refused));
        }
        if (dsn.tls == TlsMode::disable && has_tls_files(dsn))
            return Refusal("certificates and TLS versions need `sslmode=require` or `sslmode=verify-full`");
        return dsn;
    }
    return Refusal("the scheme is not mariadb:// or mysql://");
}

}  // namespace sluice::db::mariadb
