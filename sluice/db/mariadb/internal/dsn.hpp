// A connection string, parsed once: what Connector/C is told, and a description fit for logs.
//
//     parse_dsn("mariadb://app:secret@db.example:3306/shop?sslmode=verify-full&sslrootcert=ca.pem")
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "sluice/db/internal/server_dsn.hpp"

namespace sluice::db::mariadb {

enum class TlsMode : std::uint8_t {
    disable,
    require,      ///< encrypted; the server's certificate is not looked at
    verify_full,  ///< encrypted; the certificate is that of the host
};

struct Dsn {
    db::internal::ServerDsn server;  ///< holds the password; a host that is a path is a Unix socket
    std::string place;               ///< "host:port/database": no credentials, for logs and errors
    unsigned port = 3306;
    TlsMode tls = TlsMode::disable;
    std::string root_certificate;    ///< a file; empty: the system's
    std::string certificate;         ///< a file; empty: none
    std::string key;                 ///< a file
    std::string tls_versions;        ///< "TLSv1.3"; empty: the library's
    std::string max_statement_time;  ///< seconds, as text; empty: the server's
};

/// Reads `mariadb://` (or `mysql://`) `user:password@host:port/database?keyword=value&…`, parts percent-encoded. The
/// reason for a refusal holds no part of a credential.
[[nodiscard]] std::expected<Dsn, std::string> parse_dsn(std::string_view text);

}  // namespace sluice::db::mariadb
