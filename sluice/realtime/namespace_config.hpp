// What a namespace of channels allows. Declared before the hub starts, immutable afterwards.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "sluice/identity/policy.hpp"
#include "sluice/realtime/channel_source.hpp"

namespace sluice::realtime {

/// Whether members can come back to where they were.
enum class History : std::uint8_t {
    none,    ///< a room: events without a position
    memory,  ///< the hub numbers events and keeps the latest; its epoch is this run of the process
    source,  ///< frames arrive numbered; state and older frames come from the ChannelSource
};

/// What happens to a member whose queue is full.
enum class Overflow : std::uint8_t {
    evict,  ///< closed with 4100, it comes back and resumes
};

/// Actions that the policy is asked about; the resource is {tenant, namespace, name}.
inline constexpr const char* kSubscribe = "subscribe";
inline constexpr const char* kPublish = "publish";

struct NamespaceConfig {
    std::string name;         ///< `[a-z][a-z0-9_]{0,47}`
    identity::Policy policy;  ///< who may `subscribe` and `publish` over a connection; nobody by default
    History history = History::none;
    std::shared_ptr<ChannelSource> source;  ///< exactly with History::source; shared by all shards
    Overflow overflow = Overflow::evict;
    bool client_events = false;               ///< clients may send `event`; its frames say `"client":true`
    std::size_t max_event_bytes = 64 * 1024;  ///< of `data` in events
    std::size_t memory_frames = 256;          ///< with History::memory: the latest kept per channel
    std::size_t memory_bytes = 64 * 1024;
    std::chrono::seconds memory_age{300};  ///< and none older
};

}  // namespace sluice::realtime
