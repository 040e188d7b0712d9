// The assembly: one object that opens each tenant's database, migrates it, starts outbox, projections, hub and HTTP
// server in that order and drains them in reverse. It holds no logic of its own; every part can be wired by hand
// instead.
//
//     app::App shop(app::Settings{.data_dir = "data", .port = 8080}, log);
//     shop.tenant("shop_a", "Alder & Co").queue(stock).project<StockLevel>(stock);
//     shop.routes().post<PlaceOrder>("/orders", place_order);
//     return shop.run();                                  // until SIGINT or SIGTERM
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sluice/core/log.hpp"
#include "sluice/core/metrics.hpp"
#include "sluice/db/data_source.hpp"
#include "sluice/db/sqlite/database.hpp"
#include "sluice/http/router.hpp"
#include "sluice/migrate/migration.hpp"
#include "sluice/outbox/outbox.hpp"
#include "sluice/outbox/queue.hpp"
#include "sluice/projection/runtime.hpp"
#include "sluice/runtime/profile.hpp"
#include "sluice/tenant/tenant_id.hpp"

namespace sluice::app {

struct Settings {
    std::string data_dir = "data";  ///< one SQLite file per tenant, `<id>.sqlite3`; made if missing
    /// A server's databases instead, `{tenant}` standing for a tenant's id: postgres://user:password@host/{tenant} or
    /// mariadb://user:password@host:port/{tenant}. They exist, and that user may make tables there. Never logged.
    std::string database_url;
    std::string address = "127.0.0.1";  ///< of the public listener
    std::uint16_t port = 8080;          ///< 0: any free one
    std::uint16_t admin_port = 0;       ///< on 127.0.0.1; 0: any free one
    std::string web_dir;                ///< static files served at `/`; empty: none
    std::uint32_t shards = 0;           ///< 0: one per core
    db::sqlite::Synchronous synchronous = db::sqlite::Synchronous::full;
    runtime::Profile profile = runtime::Profile::low_latency();
    std::vector<std::string> origins;  ///< allowed besides the request's own host
    std::chrono::milliseconds drain{5'000};
};

/// What a tenant's hooks get: its database, outbox and projections, on the tenant's shard.
struct TenantParts {
    tenant::TenantId id;
    std::shared_ptr<db::DataSource> database;  // shared with the registry and requests in flight
    outbox::Outbox& outbox;
    projection::Projections& projections;
};

/// Configure, then `run` once. Not thread-safe.
class App {
public:
    App(Settings settings, core::Logger log);
    ~App();

    /// A tenant that exists from the start. A malformed or repeated id is a std::invalid_argument.
    App& tenant(std::string id, std::string display_name);
    /// Refuses every request of `tenant` from the start. An unknown one is a std::invalid_argument.
    App& suspend(const std::string& tenant);
    /// The application's own tables.
    App& migrations(std::vector<migrate::Migration> migrations);

    template <class Event>
    App& queue(const outbox::Queue<Event>& queue) {
        return configure_outbox([queue](outbox::Outbox::Builder& builder) { builder.queue(queue); });
    }
    /// Folds `queue` into `Projection`, whose keys become the channels `projection/<name>/<key>`.
    template <class Projection, class Event>
    App& project(const outbox::Queue<Event>& queue, projection::Options options = {}) {
        return configure_projections(
            [queue, options](projection::Projections& all) { all.add<Projection>(queue, options); });
    }
    /// More subscriptions, per tenant.
    App& configure_outbox(std::function<void(outbox::Outbox::Builder&)> configure);
    App& configure_projections(std::function<void(projection::Projections&)> configure);
    /// Runs once per tenant when everything of it has started, before requests are accepted: seeds, checks.
    App& on_tenant_start(std::function<db::Task<void>(TenantParts&)> hook);

    /// Declares, in so many words, that everybody who reaches the listener may watch every projection of every tenant.
    /// Without it subscriptions are refused. Refused at start on an address that is not loopback.
    App& tenants_are_public();

    [[nodiscard]] http::Router& routes() noexcept;
    [[nodiscard]] core::Metrics& metrics() noexcept;

    /// Starts everything, prints where it listens, serves until SIGINT or SIGTERM, drains. Answers the exit code: 0, or
    /// 1 after one line on standard error that says what could not be started and what to do.
    int run();

    /// Opens every tenant without listening, runs `work` for each on its shard, stops. For checks and tools. Answers
    /// false when a tenant could not be opened or `work` threw; the reason is logged.
    bool run_offline(std::function<db::Task<void>(TenantParts&)> work);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace sluice::app
