#include "sluice/db/mariadb/database.hpp"

#include <utility>

#include "sluice/db/internal/failures.hpp"
#include "sluice/db/internal/server_settings.hpp"
#include "sluice/db/mariadb/internal/link.hpp"
#include "sluice/db/mariadb/internal/session.hpp"
#include "sluice/db/pool/internal/pooled_source.hpp"

namespace sluice::db::mariadb {
namespace {

[[noreturn]] void fail_settings(const Settings& settings, std::string message) {
    throw db::internal::failure(ErrorKind::config, settings.name, "mariadb: " + std::move(message));
}

std::shared_ptr<const LinkSettings> link_settings(const Settings& settings) {
    if (auto refused = db::internal::server_settings_refusal(settings)) fail_settings(settings, std::move(*refused));
    if (settings.statement_cache < 1) fail_settings(settings, "`statement_cache` must be at least 1");
    auto dsn = parse_dsn(settings.dsn);
    if (!dsn) fail_settings(settings, "`dsn`: " + dsn.error());
    auto made = std::make_shared<LinkSettings>();  // shared by the source's links
    made->source = settings.name;
    made->dsn = std::move(*dsn);
    made->statement_limit = settings.statement_cache;
    made->connect_timeout = settings.connect_timeout;
    made->cleanup_limit = settings.cleanup_limit;
    made->helper = std::make_shared<db::internal::HelperThread>();
    return made;
}

Task<std::unique_ptr<pool::Link>> open_link(std::shared_ptr<const LinkSettings> settings, core::SteadyTime deadline) {
    std::unique_ptr<Link> link = co_await Link::connect(std::move(settings), deadline);
    co_return link;
}

using MariadbSource = pool::PooledSource<Database, PlainConnection, ServerTransaction, Dialect::mariadb>;

}  // namespace

std::shared_ptr<Database> Database::open(const Settings& settings, core::Logger log, core::Metrics& metrics) {
    std::shared_ptr<const LinkSettings> links = link_settings(settings);
    std::string place = links->dsn.place;
    auto connect = [links = std::move(links)](core::SteadyTime deadline) { return open_link(links, deadline); };
    auto connections = std::make_shared<pool::Pool>(settings.pool, settings.name, std::move(connect), std::move(log),
                                                    metrics);  // shared with what is lent
    return std::make_shared<MariadbSource>(settings.name, std::move(place), std::move(connections));
}

}  // namespace sluice::db::mariadb
