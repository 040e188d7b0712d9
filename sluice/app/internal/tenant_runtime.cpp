#include "sluice/app/internal/tenant_runtime.hpp"

#include <exception>
#include <utility>

#include <fmt/format.h>

#include "sluice/app/internal/tenant_database.hpp"
#include "sluice/core/error.hpp"
#include "sluice/migrate/runner.hpp"
#include "sluice/projection/migrations.hpp"
#include "sluice/runtime/cancellation.hpp"

namespace sluice::app::internal {

TenantRuntime::TenantRuntime(tenant::TenantId id, runtime::Shard& shard, const TenantPlan& plan,
                             std::shared_ptr<live::ProjectionChannels> channels, core::Logger log,
                             core::Metrics& metrics)
    : id_(std::move(id)),
      shard_(shard),
      plan_(plan),
      channels_(std::move(channels)),
      log_(log.named(id_.text())),
      metrics_(metrics) {}

TenantParts TenantRuntime::parts() {
    return {id_, database_, *outbox_, *projections_};
}

db::Task<void> TenantRuntime::start() {
    std::exception_ptr failure;
    try {
        co_await start_parts();
    } catch (...) {
        failure = std::current_exception();
    }
    if (!failure) co_return;
    co_await stop(std::chrono::milliseconds(0));
    throw core::Error(fmt::format("tenant '{}', {}, does not start{}", id_.text(), place_of(plan_.settings, id_),
                                  advice_for(failure)),
                      failure);
}

db::Task<void> TenantRuntime::start_parts() {
    database_ = open_database(plan_.settings, id_, log_, metrics_);

    auto migrations = plan_.migrations;
    migrations.push_back(outbox::migrations());
    migrations.push_back(projection::migrations());
    migrate::Runner runner(std::move(migrations), log_);
    co_await runner.run(*database_);

    projections_ = std::make_unique<projection::Projections>(database_, log_, metrics_);
    for (const auto& configure : plan_.configure_projections)
        configure(*projections_);
    projections_->deliver_to(channels_->add_tenant(id_, *projections_, shard_));

    outbox::Outbox::Builder builder = outbox::Outbox::builder(database_, shard_, log_, metrics_);
    builder.profile(plan_.settings.profile);
    for (const auto& configure : plan_.configure_outbox)
        configure(builder);
    co_await projections_->prepare(builder);
    outbox_ = co_await builder.start();
    co_await projections_->attach(*outbox_);

    TenantParts all = parts();
    for (const auto& hook : plan_.on_start)
        co_await hook(all);
}

db::Task<void> TenantRuntime::stop(std::chrono::milliseconds patience) {
    co_await runtime::begin_cleanup();
    co_await channels_->remove_tenant(id_);
    if (outbox_) co_await outbox_->stop(patience);
    outbox_.reset();
    projections_.reset();
    if (database_) co_await database_->close();
    database_.reset();
}

}  // namespace sluice::app::internal
