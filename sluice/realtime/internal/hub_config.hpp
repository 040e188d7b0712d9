// What was declared before the hub started: the same for all shards, immutable since.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/core/log.hpp"
#include "sluice/realtime/gateway.hpp"
#include "sluice/realtime/namespace_config.hpp"
#include "sluice/realtime/settings.hpp"
#include "sluice/runtime/shard.hpp"

namespace sluice::realtime {

class HubShard;

/// Namespace of rooms that handlers join connections to; clients may not subscribe to it.
inline constexpr const char* kRoomNamespace = "room";

struct HubConfig {
    HubSettings settings;
    core::Logger log;
    std::map<std::string, NamespaceConfig, std::less<>> namespaces;
    std::map<std::string, std::unique_ptr<const GatewayConfig>, std::less<>> gateways;
    std::string run;  ///< names this run of the process in the epochs of memory channels

    runtime::ShardGroup* group = nullptr;
    std::vector<std::unique_ptr<HubShard>> shards;
    std::atomic<std::size_t> connections{0};  ///< open ones
    std::atomic<bool> draining{false};

    [[nodiscard]] const NamespaceConfig* find_namespace(std::string_view name) const {
        const auto found = namespaces.find(name);
        return found == namespaces.end() ? nullptr : &found->second;
    }
    /// The shard that orders what hashes to `hash`.
    [[nodiscard]] HubShard& home_of(std::uint64_t hash) const noexcept { return *shards[hash % shards.size()]; }
};

}  // namespace sluice::realtime
