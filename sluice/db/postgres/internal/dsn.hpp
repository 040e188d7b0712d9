// A connection string, parsed once: what libpq is told, and a description fit for logs.
//
//     parse_dsn("postgres://app:secret@db.example:5432/shop?sslmode=verify-full&sslrootcert=ca.pem")
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::db::postgres {

struct Dsn {
    std::string host;   ///< a name, an address, or the folder of a Unix socket
    std::string port;   ///< "5432" unless the string says otherwise
    std::string place;  ///< "host:port/database": no credentials, for logs and errors
    /// libpq's keywords and values, host and port included. Holds the password.
    std::vector<std::pair<std::string, std::string>> parameters;

    [[nodiscard]] bool is_socket_folder() const noexcept { return host.starts_with('/'); }
};

/// Reads `postgres://` (or `postgresql://`) `user:password@host:port/database?keyword=value&…`, parts percent-encoded.
/// Keywords are libpq's; those that would change what the driver relies on are refused. The reason for a refusal holds
/// no part of a credential.
[[nodiscard]] std::expected<Dsn, std::string> parse_dsn(std::string_view text);

}  // namespace sluice::db::postgres
