// Binds projections to channels: a committed delta becomes a frame, a subscription reads the projection's state or its
// delta log. The channel of a key is `projection/<name>/<key>`.
//
//     auto channels = std::make_shared<live::ProjectionChannels>(log);
//     hub.declare(channels->namespace_config(policy));
//     projections.deliver_to(channels->add_tenant(tenant, projections, shard));
//     channels->publish_to(hub);
#pragma once

#include <memory>
#include <string_view>

#include "sluice/core/log.hpp"
#include "sluice/identity/policy.hpp"
#include "sluice/projection/delta_sink.hpp"
#include "sluice/projection/runtime.hpp"
#include "sluice/realtime/channel_source.hpp"
#include "sluice/realtime/hub.hpp"
#include "sluice/realtime/namespace_config.hpp"
#include "sluice/runtime/shard.hpp"
#include "sluice/tenant/tenant_id.hpp"

namespace sluice::live {

/// The namespace of every projection's channels.
inline constexpr std::string_view kNamespace = "projection";

/// The source of the namespace `projection`, for all tenants of a process. Thread-safe.
class ProjectionChannels final : public realtime::ChannelSource,
                                 public std::enable_shared_from_this<ProjectionChannels> {
public:
    explicit ProjectionChannels(core::Logger log);
    ~ProjectionChannels() override;

    /// History::source over this object, with `policy` for who may subscribe.
    [[nodiscard]] realtime::NamespaceConfig namespace_config(identity::Policy policy);

    /// Channels of `tenant` read from `projections`, which lives on `shard`, until `remove_tenant`. Answers the sink
    /// for `Projections::deliver_to`. A second call for a tenant takes the place of the first. On `shard`.
    [[nodiscard]] std::shared_ptr<projection::DeltaSink> add_tenant(const tenant::TenantId& tenant,
                                                                    projection::Projections& projections,
                                                                    runtime::Shard& shard);
    /// Refuses new reads of `tenant` and waits for those under way. On its shard, before its projections go.
    runtime::Task<void> remove_tenant(tenant::TenantId tenant);

    /// Where the sinks send from now on; null: nowhere, subscribers catch up from the log when they come back.
    void publish_to(std::shared_ptr<realtime::Hub> hub);

    runtime::Task<std::expected<realtime::Snapshot, realtime::SourceError>> open(
        realtime::ChannelAddress address) override;
    runtime::Task<std::expected<std::vector<realtime::Frame>, realtime::SourceError>> range(
        realtime::ChannelAddress address, std::string epoch, core::Version after, core::Version to) override;

private:
    struct State;
    class TenantSink;
    std::shared_ptr<State> state_;  // shared with the sinks
};

}  // namespace sluice::live
