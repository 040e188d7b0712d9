#include "sluice/projection/internal/instruments.hpp"

#include <vector>

namespace sluice::projection::internal {
namespace {

const std::vector<double>& event_count_buckets() {
    static const std::vector<double> buckets = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1'000, 2'000, 5'000, 10'000};
    return buckets;
}

}  // namespace

Instruments::Instruments(core::Metrics& metrics, const std::string& source, const std::string& projection) {
    const core::Labels labels = {{"source", source}, {"projection", projection}};
    const auto counter = [&](const char* name, const char* help) { return metrics.counter(name, help, labels); };
    const auto seconds = [&](const char* name, const char* help) { return metrics.histogram(name, help, labels); };
    batches = counter("sluice_projection_batches_total", "Batches folded and committed");
    events = counter("sluice_projection_events_total", "Events folded, times the keys they concern");
    replayed = counter("sluice_projection_replayed_total", "Events that were in the state already: no-ops");
    parked = counter("sluice_projection_parked_total", "Events set aside with their key");
    conflicts = counter("sluice_projection_conflicts_total", "Batches undone because another writer changed a key");
    cache_hits = counter("sluice_projection_cache_hits_total", "Keys whose state was in the cache");
    cache_misses = counter("sluice_projection_cache_misses_total", "Keys whose state was read from the database");
    deltas = counter("sluice_projection_deltas_total", "Deltas handed to the sink");
    rebuilds = counter("sluice_projection_rebuilds_total", "Rebuilds that reached their switch");
    const auto gauge = [&](const char* name, const char* help) { return metrics.gauge(name, help, labels); };
    rebuild_events = gauge("sluice_projection_rebuild_events", "Events folded by the rebuild in progress");
    parked_keys = gauge("sluice_projection_parked_keys", "Keys whose events wait");
    lag_events = gauge("sluice_projection_lag_events", "Messages of the log behind its head after the last batch");
    lag_seconds = gauge("sluice_projection_lag_seconds", "Age of the newest event of the last batch at its commit");
    batch_events =
        metrics.histogram("sluice_projection_batch_events", "Messages per batch", labels, event_count_buckets());
    load_seconds = seconds("sluice_projection_load_seconds", "Reading the states of a batch");
    fold_seconds = seconds("sluice_projection_fold_seconds", "Folding a batch");
    write_seconds = seconds("sluice_projection_write_seconds", "Writing what a batch changed, without its commit");
    commit_to_delta = seconds("sluice_projection_commit_to_delta_seconds",
                              "From writing the newest event of a batch to its deltas reaching the sink");
}

}  // namespace sluice::projection::internal
