// One row of the ledger: which messages one sequencing step numbered, and how. The same on every database.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sluice/core/clock.hpp"
#include "sluice/core/ids.hpp"

namespace sluice::outbox {

/// A lane of a queue, by the queue's number in `sluice_queue`.
struct LaneRef {
    std::int32_t queue = 0;
    core::LaneId lane;
    friend auto operator<=>(const LaneRef&, const LaneRef&) = default;
};

/// The messages of one lane in one tick: `first` is the sequence of ids.front(), the others follow densely.
struct LaneRun {
    LaneRef lane;
    core::Sequence first;
    std::vector<std::int64_t> ids;  ///< rising
    friend bool operator==(const LaneRun&, const LaneRun&) = default;
};

/// The sequence that the next message of a lane will get.
struct NextSequence {
    LaneRef lane;
    core::Sequence next;
    friend bool operator==(const NextSequence&, const NextSequence&) = default;
};

/// How a server's tick found its rows, and where the next one goes on. MariaDB has an identity alone.
struct TickDiff {
    std::string snapshot;             ///< pg_current_snapshot(); of a diff cut in several ticks, that of its first one
    std::optional<std::int64_t> cut;  ///< the diff goes on behind this id; nothing: it was numbered whole
    std::string identity;             ///< of the server, the database and its timeline
    std::int64_t last_value = 0;      ///< of the ids' sequence, read before the tick had a transaction id of its own
};

/// Positions run through all lanes by message id: the k-th lowest id of the tick has position `first_position` + k.
struct Tick {
    std::int64_t n = 0;  ///< dense, from 1
    core::Epoch epoch;
    core::SystemTime time;
    core::Position first_position;  ///< of the lowest id; with no message, the position of the next one
    std::int64_t lowest_id = 0;     ///< of all rows that the tick looked at, numbered or not
    std::int64_t highest_id = 0;
    std::int32_t map_version = 1;  ///< of the key → lane map
    std::vector<LaneRun> runs;     ///< by lane, rising; none is empty
    /// What every lane stood at before this tick; every 1,000th row has one, and the oldest kept.
    std::optional<std::vector<NextSequence>> checkpoint;
    std::optional<TickDiff> diff;  ///< on a server

    [[nodiscard]] std::int64_t count() const noexcept {
        std::int64_t messages = 0;
        for (const LaneRun& run : runs)
            messages += static_cast<std::int64_t>(run.ids.size());
        return messages;
    }
};

/// Rows between two that carry a checkpoint; the most that a start reads.
inline constexpr std::int64_t kCheckpointEvery = 1'000;

}  // namespace sluice::outbox
