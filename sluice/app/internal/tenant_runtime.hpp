// Everything that one tenant's database needs to live: database, migrations, outbox, projections, channels.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sluice/app/app.hpp"
#include "sluice/live/projection_channels.hpp"

namespace sluice::app::internal {

/// What is the same for every tenant of an App.
struct TenantPlan {
    Settings settings;
    std::vector<std::vector<migrate::Migration>> migrations;
    std::vector<std::function<void(outbox::Outbox::Builder&)>> configure_outbox;
    std::vector<std::function<void(projection::Projections&)>> configure_projections;
    std::vector<std::function<db::Task<void>(TenantParts&)>> on_start;
};

/// Lives on one shard; made, started, stopped and destroyed there.
class TenantRuntime {
public:
    TenantRuntime(tenant::TenantId id, runtime::Shard& shard, const TenantPlan& plan,
                  std::shared_ptr<live::ProjectionChannels> channels, core::Logger log, core::Metrics& metrics);

    /// Database → migrations → projections → outbox → hooks. What was started before a failure is stopped again.
    db::Task<void> start();
    /// In reverse; batches in hand finish within `patience`. Idempotent.
    db::Task<void> stop(std::chrono::milliseconds patience);

    [[nodiscard]] const std::shared_ptr<db::DataSource>& database() const noexcept { return database_; }
    [[nodiscard]] TenantParts parts();
    [[nodiscard]] runtime::Shard& shard() noexcept { return shard_; }

private:
    db::Task<void> start_parts();

    tenant::TenantId id_;
    runtime::Shard& shard_;
    const TenantPlan& plan_;
    std::shared_ptr<live::ProjectionChannels> channels_;  // shared by all tenants
    core::Logger log_;
    core::Metrics& metrics_;
    std::shared_ptr<db::DataSource> database_;  // shared with the registry and requests in flight
    std::unique_ptr<projection::Projections> projections_;
    std::unique_ptr<outbox::Outbox> outbox_;
};

}  // namespace sluice::app::internal
