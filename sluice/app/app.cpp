#include "sluice/app/app.hpp"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "sluice/app/internal/data_folder.hpp"
#include "sluice/app/internal/edge.hpp"
#include "sluice/app/internal/open_files.hpp"
#include "sluice/app/internal/tenant_database.hpp"
#include "sluice/app/internal/tenant_runtime.hpp"
#include "sluice/core/error.hpp"
#include "sluice/http/health.hpp"
#include "sluice/http/server.hpp"
#include "sluice/http/static_files.hpp"
#include "sluice/runtime/outside.hpp"

namespace sluice::app {
namespace {

/// SIGINT and SIGTERM wait for `wait_for_one` instead of ending the process; made before any thread, which inherit it.
class StopSignals {
public:
    StopSignals() {
        sigemptyset(&set_);
        sigaddset(&set_, SIGINT);
        sigaddset(&set_, SIGTERM);
        pthread_sigmask(SIG_BLOCK, &set_, &before_);
    }
    ~StopSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    StopSignals(const StopSignals&) = delete;
    StopSignals& operator=(const StopSignals&) = delete;

    void wait_for_one() {
        int signal = 0;
        sigwait(&set_, &signal);
        pthread_sigmask(SIG_UNBLOCK, &set_, nullptr);  // a second one stops at once
    }

private:
    sigset_t set_{};
    sigset_t before_{};
};

constexpr std::uint32_t kMostShards = 1'024;

std::string origin_of(const std::string& address, std::uint16_t port) {
    const bool v6 = address.find(':') != std::string::npos;
    return v6 ? fmt::format("http://[{}]:{}", address, port) : fmt::format("http://{}:{}", address, port);
}

bool is_loopback(const std::string& address) {
    return address == "::1" || address.starts_with("127.");
}

}  // namespace

struct App::State {
    State(Settings given, core::Logger logger) : log(std::move(logger)) { plan.settings = std::move(given); }

    const Settings& settings() const { return plan.settings; }
    void start_shards();
    void start_tenants();
    void stop_tenants();
    void declare_hub();
    void serve(StopSignals& signals);
    void check_public() const;

    internal::TenantPlan plan;
    core::Logger log;
    core::Metrics metrics;
    http::Router routes;
    bool tenants_are_public = false;

    std::shared_ptr<tenant::TenantRegistry> tenants = std::make_shared<tenant::TenantRegistry>();
    std::shared_ptr<db::DataSourceRegistry> sources = std::make_shared<db::DataSourceRegistry>();
    std::shared_ptr<http::Health> health = std::make_shared<http::Health>();
    std::unique_ptr<runtime::ShardGroup> shards;
    std::shared_ptr<live::ProjectionChannels> channels;
    std::shared_ptr<realtime::Hub> hub;
    std::vector<std::unique_ptr<internal::TenantRuntime>> running;
};

App::App(Settings settings, core::Logger log) : state_(std::make_unique<State>(std::move(settings), std::move(log))) {}
App::~App() = default;

App& App::tenant(std::string id, std::string display_name) {
    const auto parsed = tenant::TenantId::parse(id);
    if (!parsed)
        throw std::invalid_argument(
            fmt::format("tenant '{}': an id has 1 to 48 characters of a-z, 0-9 and '_', the first no '_'", id));
    if (state_->tenants->find(*parsed)) throw std::invalid_argument(fmt::format("tenant '{}' is there already", id));
    state_->tenants->upsert({*parsed, std::move(display_name), id});
    return *this;
}

App& App::suspend(const std::string& id) {
    const auto parsed = tenant::TenantId::parse(id);
    if (!parsed || !state_->tenants->suspend(*parsed))
        throw std::invalid_argument(fmt::format("there is no tenant '{}' to suspend", id));
    return *this;
}

App& App::migrations(std::vector<migrate::Migration> migrations) {
    state_->plan.migrations.push_back(std::move(migrations));
    return *this;
}

App& App::configure_outbox(std::function<void(outbox::Outbox::Builder&)> configure) {
    state_->plan.configure_outbox.push_back(std::move(configure));
    return *this;
}

App& App::configure_projections(std::function<void(projection::Projections&)> configure) {
    state_->plan.configure_projections.push_back(std::move(configure));
    return *this;
}

App& App::on_tenant_start(std::function<db::Task<void>(TenantParts&)> hook) {
    state_->plan.on_start.push_back(std::move(hook));
    return *this;
}

App& App::tenants_are_public() {
    state_->tenants_are_public = true;
    return *this;
}

http::Router& App::routes() noexcept {
    return state_->routes;
}
core::Metrics& App::metrics() noexcept {
    return state_->metrics;
}

void App::State::check_public() const {
    if (tenants_are_public && !is_loopback(settings().address))
        throw std::runtime_error(
            fmt::format("tenants_are_public() is for loopback only, not for {}; declare a policy", settings().address));
}

void App::State::start_shards() {
    if (settings().shards > kMostShards)
        throw std::runtime_error(
            fmt::format("shards: {} is outside 0 to {}; 0 is one per core", settings().shards, kMostShards));
    const auto cores = std::max(1u, std::thread::hardware_concurrency());
    shards = std::make_unique<runtime::ShardGroup>(settings().shards == 0 ? cores : settings().shards);
    shards->start();
    channels = std::make_shared<live::ProjectionChannels>(log);
}

void App::State::start_tenants() {
    internal::check_databases(settings(), tenants->list().size());
    std::uint32_t next = 0;
    for (const auto& config : tenants->list()) {
        runtime::Shard& shard = shards->at(next++ % shards->size());
        running.push_back(std::make_unique<internal::TenantRuntime>(config->id, shard, plan, channels, log, metrics));
        runtime::block_on(shard, running.back()->start());
        sources->add(running.back()->database());
    }
}

void App::State::stop_tenants() {
    for (auto& tenant : running) {
        runtime::Shard& shard = tenant->shard();
        if (tenant->database()) static_cast<void>(sources->remove(tenant->database()->name()));
        runtime::block_on(shard, tenant->stop(settings().drain));
        runtime::call_on(shard, [&] { tenant.reset(); });
    }
    running.clear();
}

void App::State::declare_hub() {
    hub = std::make_shared<realtime::Hub>(*shards, realtime::HubSettings{}, log, metrics);
    identity::Policy policy;
    if (tenants_are_public) policy.allow(realtime::kSubscribe, identity::anyone_of_the_tenant);
    hub->declare(channels->namespace_config(std::move(policy)));
    hub->start();
    channels->publish_to(hub);
}

void App::State::serve(StopSignals& signals) {
    routes.tenants(internal::tenant_resolver(tenants, sources));
    routes.websocket("/live", internal::live_channels(hub), http::Tenancy::none);
    http::add_health_routes(routes, health);
    if (!settings().web_dir.empty()) routes.fallback(http::static_files(settings().web_dir));

    http::ServerSettings page_settings;
    page_settings.origins = http::OriginPolicy(settings().origins);
    http::Server pages("public", *shards, std::move(routes), page_settings, log, metrics);
    http::Router operators;
    http::add_admin_routes(operators, health, metrics);
    http::Server admin("admin", *shards, std::move(operators), {}, log, metrics);
    admin.listen("127.0.0.1", settings().admin_port);
    pages.listen(settings().address, settings().port);
    fmt::print("listening on {}\nadmin on {}\n", origin_of(settings().address, pages.port()),
               origin_of("127.0.0.1", admin.port()));
    std::fflush(stdout);

    signals.wait_for_one();
    log.info("draining");
    health->drain();
    pages.stop_accepting();
    runtime::block_on(shards->at(0), hub->drain(settings().drain));
    pages.stop(settings().drain);
    admin.stop(std::chrono::milliseconds(100));
}

int App::run() {
    StopSignals signals;
    std::optional<internal::DataFolder> folder;  // until the last database is closed
    int code = 0;
    try {
        state_->check_public();
        state_->log.info("up to {} files and connections may be open", internal::raise_open_files());
        if (state_->settings().database_url.empty()) folder.emplace(state_->settings().data_dir);
        state_->start_shards();
        state_->start_tenants();
        state_->declare_hub();
        state_->serve(signals);
    } catch (const std::exception& error) {
        fmt::print(stderr, "cannot start: {}\n", core::describe(std::current_exception()));
        code = 1;
    }
    if (state_->channels) state_->channels->publish_to(nullptr);
    if (state_->shards) {
        state_->stop_tenants();
        state_->shards->stop();
    }
    state_->hub.reset();
    return code;
}

bool App::run_offline(std::function<db::Task<void>(TenantParts&)> work) {
    std::optional<internal::DataFolder> folder;
    bool ok = true;
    try {
        if (state_->settings().database_url.empty()) folder.emplace(state_->settings().data_dir);
        state_->start_shards();
        state_->start_tenants();
        for (auto& tenant : state_->running) {
            TenantParts parts = tenant->parts();
            runtime::block_on(tenant->shard(), work(parts));
        }
    } catch (const std::exception& error) {
        state_->log.error("{}", core::describe(std::current_exception()));
        ok = false;
    }
    if (state_->shards) {
        state_->stop_tenants();
        state_->shards->stop();
    }
    return ok;
}

}  // namespace sluice::app
