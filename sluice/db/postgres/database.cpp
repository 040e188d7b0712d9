#include "sluice/db/postgres/database.hpp"

#include <utility>

#include "sluice/db/internal/failures.hpp"
#include "sluice/db/internal/server_settings.hpp"
#include "sluice/db/pool/internal/pooled_source.hpp"
#include "sluice/db/postgres/internal/canceller.hpp"
#include "sluice/db/postgres/internal/dsn.hpp"
#include "sluice/db/postgres/internal/link.hpp"
#include "sluice/db/postgres/internal/session.hpp"

namespace sluice::db::postgres {
namespace {

[[noreturn]] void fail_settings(const Settings& settings, std::string message) {
    throw db::internal::failure(ErrorKind::config, settings.name, "postgres: " + std::move(message));
}

void check_settings(const Settings& settings) {
    if (auto refused = db::internal::server_settings_refusal(settings)) fail_settings(settings, std::move(*refused));
    if (settings.statement_cache == 1) fail_settings(settings, "`statement_cache` must be 0 or at least 2");
}

std::shared_ptr<const LinkSettings> link_settings(const Settings& settings) {
    auto dsn = parse_dsn(settings.dsn);
    if (!dsn) fail_settings(settings, "`dsn`: " + dsn.error());
    auto made = std::make_shared<LinkSettings>();  // shared by the source's links
    made->source = settings.name;
    made->dsn = std::move(*dsn);
    made->statement_limit = settings.statement_cache;
    made->connect_timeout = settings.connect_timeout;
    made->cleanup_limit = settings.cleanup_limit;
    return made;
}

Task<std::unique_ptr<pool::Link>> open_link(std::shared_ptr<const LinkSettings> settings,
                                            std::shared_ptr<Canceller> canceller, core::SteadyTime deadline) {
    std::unique_ptr<Link> link = co_await Link::connect(std::move(settings), std::move(canceller), deadline);
    co_return link;
}

pool::Connect connector(std::shared_ptr<const LinkSettings> settings) {
    auto canceller = std::make_shared<Canceller>();  // shared by the source's links
    return [settings = std::move(settings), canceller = std::move(canceller)](core::SteadyTime deadline) {
        return open_link(settings, canceller, deadline);
    };
}

using PostgresSource = pool::PooledSource<Database, PlainConnection, ServerTransaction, Dialect::postgres>;

}  // namespace

std::shared_ptr<Database> Database::open(const Settings& settings, core::Logger log, core::Metrics& metrics) {
    check_settings(settings);
    auto links = link_settings(settings);
    std::string place = links->dsn.place;
    auto connections = std::make_shared<pool::Pool>(settings.pool, settings.name, connector(std::move(links)),
                                                    std::move(log), metrics);  // shared with what is lent
    return std::make_shared<PostgresSource>(settings.name, std::move(place), std::move(connections));
}

}  // namespace sluice::db::postgres
