// Where committed deltas go. Declared here, implemented by whoever shows them (sluice/live binds it to the hub).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sluice/core/ids.hpp"

namespace sluice::projection {

enum class ChangeKind : std::uint8_t {
    deltas,    ///< consecutive versions, one delta each
    reset,     ///< the state was replaced; `epoch` is new
    position,  ///< same state, new epoch and version
    removed,   ///< the key's row is gone; `version` is the last one
};

/// What one batch did to one key.
struct KeyChange {
    std::string key;
    ChangeKind kind = ChangeKind::deltas;
    core::Epoch epoch;
    core::Version first_version;      ///< of `deltas.front()`
    core::Version version;            ///< after the batch
    std::vector<std::string> deltas;  ///< JSON texts, versions first_version … version
    std::string state;                ///< JSON text, with `reset`
};

/// One lane batch: batches of a (source, projection, generation, lane) chain by `after_seq` and `up_to_seq`, so a
/// receiver sees every gap.
struct DeltaBatch {
    std::string source;      ///< data source name
    std::string projection;  ///< its name
    std::string event_name;  ///< empty: the default, "delta"
    std::int64_t generation = 0;
    core::LaneId lane;
    std::int64_t after_seq = 0;
    std::int64_t up_to_seq = 0;
    std::vector<KeyChange> changes;
};

/// Called after the commit, on the projection's shard. Never blocks, never throws; its failure undoes nothing.
class DeltaSink {
public:
    virtual ~DeltaSink() = default;
    virtual void publish(
        std::shared_ptr<const DeltaBatch> batch) noexcept = 0;  // shared with every shard that shows it
};

}  // namespace sluice::projection
