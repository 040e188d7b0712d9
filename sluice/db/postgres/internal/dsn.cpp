#include "sluice/db/postgres/internal/dsn.hpp"

#include <array>

#include "sluice/db/internal/server_dsn.hpp"

namespace sluice::db::postgres {
namespace {

using Refusal = std::unexpected<std::string>;

/// What may stand after `?`: nothing that redirects results, changes the text's encoding or names several hosts.
constexpr std::array<std::string_view, 24> kKeywords{"application_name",
                                                     "channel_binding",
                                                     "connect_timeout",
                                                     "gssencmode",
                                                     "hostaddr",
                                                     "keepalives",
                                                     "keepalives_count",
                                                     "keepalives_idle",
                                                     "keepalives_interval",
                                                     "krbsrvname",
                                                     "options",
                                                     "passfile",
                                                     "requirepeer",
                                                     "sslcert",
                                                     "sslcrl",
                                                     "sslcrldir",
                                                     "sslkey",
                                                     "sslmode",
                                                     "sslpassword",
                                                     "sslrootcert",
                                                     "sslsni",
                                                     "ssl_min_protocol_version",
                                                     "ssl_max_protocol_version",
                                                     "tcp_user_timeout"};

}  // namespace

std::expected<Dsn, std::string> parse_dsn(std::string_view text) {
    for (std::string_view scheme : {"postgresql://", "postgres://"}) {
        if (!text.starts_with(scheme)) continue;
        const auto parts = db::internal::parse_server_dsn(text.substr(scheme.size()), "5432", kKeywords);
        if (!parts) return Refusal(parts.error());
        Dsn dsn;
        dsn.host = parts->host;
        dsn.port = parts->port;
        dsn.place = parts->place();
        dsn.parameters = {{"host", dsn.host}, {"port", dsn.port}, {"user", parts->user}, {"dbname", parts->database}};
        if (!parts->password.empty()) dsn.parameters.emplace_back("password", parts->password);
        dsn.parameters.insert(dsn.parameters.end(), parts->keywords.begin(), parts->keywords.end());
        return dsn;
    }
    return Refusal("the scheme is not postgres://");
}

}  // namespace sluice::db::postgres
