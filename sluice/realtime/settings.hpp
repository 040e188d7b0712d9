// The hub's limits and periods; every one has a default. docs/realtime.md explains each.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace sluice::realtime {

struct HubSettings {
    // Connections
    std::size_t max_connections = 20'000;       ///< in the process; beyond, upgrades are refused with 503
    std::size_t max_subscriptions = 256;        ///< per connection
    std::size_t max_commands_in_flight = 16;    ///< per connection; then reading stops
    std::size_t max_message_bytes = 64 * 1024;  ///< inbound, whole message
    std::size_t max_fragments = 256;            ///< inbound, per message
    std::size_t max_event_bytes = 64 * 1024;    ///< of `data` in events to rooms, connections and tenants
    std::uint32_t inbound_per_second = 200;     ///< frames, control frames included
    std::uint32_t inbound_burst = 400;          ///< frames that may come at once
    std::uint32_t max_rate_strikes = 64;        ///< frames over the rate, answered with `rate`, before 4300

    // What waits for a slow reader
    std::size_t queue_frames = 256;                     ///< per connection
    std::size_t queue_bytes = 64 * 1024;                ///< per connection
    std::size_t queue_control_frames = 16;              ///< pings and pongs beside them
    std::size_t shard_queue_bytes = 256 * 1024 * 1024;  ///< per shard, then whoever is furthest behind goes first
    std::chrono::seconds write_stall{30};               ///< without progress of a write: 4100
    std::size_t small_rest_bytes = 4096;                ///< a rest of a batch up to this size is copied, not pinned

    // Liveness, on the monotonic clock
    std::chrono::milliseconds ping_interval{25'000};  ///< silent that long: pinged; twice that long: 4102
    std::chrono::milliseconds close_timeout{5'000};   ///< between our close frame and the end of the socket
    std::chrono::milliseconds tick{250};              ///< resolution of the timer wheel

    // Channels
    std::chrono::seconds ring_linger{60};             ///< a channel keeps its ring that long after its last member
    std::size_t ring_frames = 1024;                   ///< per channel of a source
    std::size_t ring_bytes = 256 * 1024;              ///< per channel of a source
    std::size_t node_ring_bytes = 128 * 1024 * 1024;  ///< all rings; the longest unused go first
    std::size_t repair_frames = 4096;                 ///< frames kept while a gap before them is fetched
    std::size_t max_waiting = 10'000;                 ///< subscribers that wait for one channel's state
    std::size_t source_calls = 64;                    ///< calls of sources at once, per shard
    std::chrono::milliseconds source_deadline{5'000};
    std::chrono::milliseconds source_retry{250};  ///< first pause before a failed repair is tried again, doubling

    // Work per turn
    std::size_t walk_chunk = 256;               ///< members of a large room between two polls
    std::size_t read_buffer_bytes = 64 * 1024;  ///< one per shard
};

}  // namespace sluice::realtime
