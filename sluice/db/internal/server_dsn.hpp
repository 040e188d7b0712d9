// The parts of a server's connection string, whatever the driver then makes of its keywords.
//
//     parse_server_dsn("app:secret@db.example/shop?sslmode=require", "5432", kKeywords)
#pragma once

#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::db::internal {

struct ServerDsn {
    std::string user;
    std::string password;
    std::string host;  ///< a name, an address, or the path of a Unix socket or of its folder
    std::string port;
    std::string database;
    std::vector<std::pair<std::string, std::string>> keywords;  ///< what followed `?`, in order

    [[nodiscard]] bool is_path() const noexcept { return host.starts_with('/'); }
    /// "host:port/database": no credentials, for logs and errors.
    [[nodiscard]] std::string place() const;
};

/// Reads `user:password@host:port/database?keyword=value&…`, parts percent-encoded: what stands behind the scheme. One
/// host, a user and a database must be there, and keywords must be `known`. The reason for a refusal holds no part of a
/// credential.
[[nodiscard]] std::expected<ServerDsn, std::string> parse_server_dsn(std::string_view text,
                                                                     std::string_view default_port,
                                                                     std::span<const std::string_view> known);

}  // namespace sluice::db::internal
