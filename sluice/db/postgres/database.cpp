#include "sluice/db/postgres/database.hpp"

#include <utility>

#include <fmt/format.h>

#include "sluice/db/internal/failures.hpp"
#include "sluice/db/pool/internal/pool.hpp"
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
    if (settings.name.empty()) fail_settings(settings, "`name` is empty");
    if (settings.pool.max < 1) fail_settings(settings, "`pool.max` must be at least 1");
    if (settings.pool.min_idle > settings.pool.max) {
        fail_settings(settings, fmt::format("`pool.min_idle` is {}, more than `pool.max` ({})", settings.pool.min_idle,
                                            settings.pool.max));
    }
    if (settings.pool.acquire_timeout.count() < 1)
        fail_settings(settings, "`pool.acquire_timeout` must be at least 1 ms");
    if (settings.pool.sweep_interval.count() < 1)
        fail_settings(settings, "`pool.sweep_interval` must be at least 1 ms");
    if (settings.connect_timeout.count() < 1) fail_settings(settings, "`connect_timeout` must be at least 1 ms");
    if (settings.cleanup_limit.count() < 1) fail_settings(settings, "`cleanup_limit` must be at least 1 ms");
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

core::SteadyTime deadline_from(const TransactionOptions& options) {
    if (options.deadline.count() <= 0) return core::SteadyTime::max();
    return std::chrono::steady_clock::now() + options.deadline;
}

class PooledDatabase final : public Database {
public:
    PooledDatabase(const Settings& settings, std::shared_ptr<const LinkSettings> links, core::Logger log,
                   core::Metrics& metrics)
        : name_(settings.name),
          place_(links->dsn.place),
          pool_(std::make_shared<pool::Pool>(settings.pool, settings.name, connector(std::move(links)), std::move(log),
                                             metrics)) {}

    [[nodiscard]] std::string_view name() const noexcept override { return name_; }
    [[nodiscard]] Dialect dialect() const noexcept override { return Dialect::postgres; }
    [[nodiscard]] const std::string& place() const noexcept override { return place_; }

    Task<std::unique_ptr<Connection>> acquire(AccessIntent intent, std::source_location borrower) override {
        pool::Lease lease = co_await pool_->acquire(core::SteadyTime::max(), borrower);
        std::unique_ptr<Connection> connection = std::make_unique<PlainConnection>(std::move(lease), intent);
        co_return connection;
    }

    Task<std::unique_ptr<Transaction>> begin(TransactionOptions options, std::source_location borrower) override {
        pool::Lease lease = co_await pool_->acquire(deadline_from(options), borrower);
        std::unique_ptr<Transaction> transaction = std::make_unique<ServerTransaction>(std::move(lease), options);
        co_return transaction;
    }

    Task<void> close() override { return pool_->close(); }

private:
    const std::string name_;
    const std::string place_;
    const std::shared_ptr<pool::Pool> pool_;  // shared with what is lent
};

}  // namespace

std::shared_ptr<Database> Database::open(const Settings& settings, core::Logger log, core::Metrics& metrics) {
    check_settings(settings);
    auto links = link_settings(settings);
    return std::make_shared<PooledDatabase>(settings, std::move(links), std::move(log), metrics);
}

}  // namespace sluice::db::postgres
