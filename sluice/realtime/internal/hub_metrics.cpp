#include "sluice/realtime/internal/hub_metrics.hpp"

#include <utility>

namespace sluice::realtime {
namespace {

void add_change(const core::Counter& counter, std::uint64_t now, std::uint64_t before) {
    if (now > before) counter.add(static_cast<double>(now - before));
}

void move_gauge(const core::Gauge& gauge, double now, double& shown) {
    if (now != shown) gauge.add(now - std::exchange(shown, now));
}

}  // namespace

HubMetrics::HubMetrics(core::Metrics& metrics)
    : connections(metrics.gauge("sluice_ws_connections", "Open connections of the hub")),
      queued(metrics.gauge("sluice_ws_frames_queued", "Frames offered and not yet handed to the kernel")),
      channels(metrics.gauge("sluice_ws_channels", "Channels with members, or with a ring that is kept for them")),
      offered(metrics.counter("sluice_ws_frames_offered_total", "Frames offered to members")),
      messages_out(metrics.counter("sluice_ws_messages_out_total", "Frames handed whole to the kernel")),
      evictions(metrics.counter("sluice_ws_slow_client_evictions_total", "Connections closed with 4100")),
      reaped(metrics.counter("sluice_ws_idle_reaped_total", "Connections closed with 4102")),
      write_calls(metrics.counter("sluice_ws_write_calls_total", "System calls that write to connections")),
      source_opens(metrics.counter("sluice_ws_source_opens_total", "States read from channel sources")),
      source_ranges(metrics.counter("sluice_ws_source_ranges_total", "Ranges of frames read from channel sources")) {
    for (std::size_t i = 0; i < static_cast<std::size_t>(EndReason::count); ++i)
        discarded[i] = metrics.counter("sluice_ws_frames_discarded_total", "Frames whose connection ended first",
                                       {{"reason", to_string(static_cast<EndReason>(i))}});
}

void HubMetrics::show(Shown& shown, std::size_t open, std::size_t entries, const ShardState& state) const {
    move_gauge(connections, static_cast<double>(open), shown.connections);
    move_gauge(channels, static_cast<double>(entries), shown.channels);
    move_gauge(queued, static_cast<double>(state.accounting.queued()), shown.queued);
    add_change(offered, state.accounting.offered(), shown.accounting.offered());
    add_change(messages_out, state.accounting.delivered(), shown.accounting.delivered());
    for (std::size_t i = 0; i < static_cast<std::size_t>(EndReason::count); ++i) {
        const auto reason = static_cast<EndReason>(i);
        add_change(discarded[i], state.accounting.discarded(reason), shown.accounting.discarded(reason));
    }
    shown.accounting = state.accounting;
    add_change(evictions, state.counters.evictions, shown.counters.evictions);
    add_change(reaped, state.counters.reaped, shown.counters.reaped);
    add_change(write_calls, state.counters.write_calls, shown.counters.write_calls);
    add_change(source_opens, state.counters.source_opens, shown.counters.source_opens);
    add_change(source_ranges, state.counters.source_ranges, shown.counters.source_ranges);
    shown.counters = state.counters;
}

}  // namespace sluice::realtime
