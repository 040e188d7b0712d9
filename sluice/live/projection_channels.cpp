#include "sluice/live/projection_channels.hpp"

#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "sluice/live/internal/frames.hpp"
#include "sluice/live/internal/tenant_reader.hpp"

namespace sluice::live {

struct ProjectionChannels::State {
    explicit State(core::Logger logger) : log(std::move(logger)) {}

    std::shared_ptr<internal::TenantReader> find(const tenant::TenantId& tenant) const {
        const std::scoped_lock lock(mutex);
        const auto found = readers.find(tenant);
        return found == readers.end() ? nullptr : found->second;
    }

    std::shared_ptr<realtime::Hub> current_hub() const {
        const std::scoped_lock lock(mutex);
        return hub;
    }

    core::Logger log;
    mutable std::mutex mutex;
    std::map<tenant::TenantId, std::shared_ptr<internal::TenantReader>> readers;
    std::shared_ptr<realtime::Hub> hub;  // shared with the program that drains it
};

/// Turns the batches of one tenant into frames. Runs on the tenant's shard.
class ProjectionChannels::TenantSink final : public projection::DeltaSink {
public:
    TenantSink(std::shared_ptr<State> state, tenant::TenantId tenant)
        : state_(std::move(state)), tenant_(std::move(tenant)) {}

    void publish(std::shared_ptr<const projection::DeltaBatch> batch) noexcept override {
        const auto hub = state_->current_hub();
        if (!hub) return;
        try {
            hub->publish_batch(internal::to_channels(tenant_, *batch));
        } catch (const std::exception& e) {
            // The state is stored; whoever watches finds the gap by its version and fetches it.
            state_->log.error("deltas of {} for tenant {} were not shown: {}", batch->projection, tenant_.text(),
                              e.what());
        }
    }

private:
    std::shared_ptr<State> state_;
    tenant::TenantId tenant_;
};

ProjectionChannels::ProjectionChannels(core::Logger log) : state_(std::make_shared<State>(log.named("live"))) {}
ProjectionChannels::~ProjectionChannels() = default;

realtime::NamespaceConfig ProjectionChannels::namespace_config(identity::Policy policy) {
    realtime::NamespaceConfig config;
    config.name = kNamespace;
    config.policy = std::move(policy);
    config.history = realtime::History::source;
    config.source = shared_from_this();
    return config;
}

std::shared_ptr<projection::DeltaSink> ProjectionChannels::add_tenant(const tenant::TenantId& tenant,
                                                                      projection::Projections& projections,
                                                                      runtime::Shard& shard) {
    auto reader = std::make_shared<internal::TenantReader>(projections, shard, state_->log);
    {
        const std::scoped_lock lock(state_->mutex);
        state_->readers.insert_or_assign(tenant, std::move(reader));
    }
    return std::make_shared<TenantSink>(state_, tenant);
}

runtime::Task<void> ProjectionChannels::remove_tenant(tenant::TenantId tenant) {
    std::shared_ptr<internal::TenantReader> reader;
    {
        const std::scoped_lock lock(state_->mutex);
        const auto found = state_->readers.find(tenant);
        if (found == state_->readers.end()) co_return;
        reader = std::move(found->second);
        state_->readers.erase(found);
    }
    co_await reader->close();
}

void ProjectionChannels::publish_to(std::shared_ptr<realtime::Hub> hub) {
    const std::scoped_lock lock(state_->mutex);
    state_->hub = std::move(hub);
}

runtime::Task<std::expected<realtime::Snapshot, realtime::SourceError>> ProjectionChannels::open(
    realtime::ChannelAddress address) {
    const auto channel = internal::parse_name(address);
    const auto reader = state_->find(address.tenant);
    if (!channel || !reader || !reader->knows(channel->projection))
        co_return std::unexpected(realtime::SourceError::not_found);
    projection::RawState raw = co_await reader->read(channel->projection, channel->key);
    co_return internal::to_snapshot(std::move(raw));
}

runtime::Task<std::expected<std::vector<realtime::Frame>, realtime::SourceError>> ProjectionChannels::range(
    realtime::ChannelAddress address, std::string epoch, core::Version after, core::Version to) {
    const auto channel = internal::parse_name(address);
    const auto reader = state_->find(address.tenant);
    const auto number = internal::parse_epoch(epoch);
    if (!channel || !reader || !reader->knows(channel->projection))
        co_return std::unexpected(realtime::SourceError::not_found);
    if (!number) co_return std::unexpected(realtime::SourceError::gone);
    auto deltas = co_await reader->range(channel->projection, channel->key, *number, after, to);
    if (!deltas) co_return std::unexpected(realtime::SourceError::gone);
    co_return internal::to_frames(reader->event_name(channel->projection), std::move(*deltas));
}

}  // namespace sluice::live
