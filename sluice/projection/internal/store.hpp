// The rows of one projection: statements out of values, values out of results. No I/O of its own apart from
// `run_writes`.
//
//     Writes writes;
//     store.write_states(generation, result.keys, writes);
//     co_await run_writes(unit, store.projection(), std::move(writes));      // throws `conflict` when a predicate
//     missed
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/core/ids.hpp"
#include "sluice/db/connection.hpp"
#include "sluice/db/unit_of_work.hpp"
#include "sluice/outbox/message.hpp"
#include "sluice/projection/fold.hpp"
#include "sluice/projection/internal/projection_sql.hpp"

namespace sluice::projection::internal {

/// A row of sluice_projection.
struct Generation {
    std::int64_t number = 0;
    int state_version = 0;
    std::string status;
    core::Epoch epoch;
    core::Epoch epoch_given;  ///< the highest that the projection or one of its keys ever had
    core::Epoch ledger_epoch;
    std::optional<core::Position> began;  ///< the log's position before the first event; unknown until attached
    core::Position base;                  ///< events up to here are in every state
    std::string progress;
    std::int64_t alone = 0;  ///< how often somebody has held the projection alone; 0 where that is not counted
};

/// A row of sluice_projection_lane: what has been folded of one lane.
struct LanePosition {
    core::LaneId lane;
    std::int64_t sequence = 0;  ///< merged: the position
    core::Position position;    ///< of the last message
};

/// A statement and the number of rows it must touch, if that matters.
struct Write {
    db::Statement statement;
    std::optional<std::uint64_t> must_affect;
};
using Writes = std::vector<Write>;

/// Where a delta row belongs in the projection's streams.
struct StreamPosition {
    std::int64_t stream = 0;
    std::int64_t position = 0;
};

/// The stream of events that were given directly, whose position is the key's first version.
inline constexpr std::int64_t kDirectStream = -1;

enum class Hold : std::uint8_t { shared, alone };

class Store {
public:
    Store(db::Dialect dialect, std::string projection);

    [[nodiscard]] const std::string& projection() const noexcept { return projection_; }
    [[nodiscard]] const Texts& texts() const noexcept { return texts_; }

    /// `sql` with the projection as $1 and `values` behind it.
    template <class... Args>
    [[nodiscard]] db::Statement statement(const std::string& sql, Args&&... values) const {
        return db::statement(sql, projection_, std::forward<Args>(values)...);
    }

    [[nodiscard]] db::Statement load(std::int64_t generation, const std::vector<std::string>& keys) const;
    /// As `load`; until the unit ends nobody else writes them.
    [[nodiscard]] db::Statement load_alone(std::int64_t generation, const std::vector<std::string>& keys) const;
    /// Statements that must come first in a unit that writes states: `Hold::shared` for what may run side by side, key
    /// by key; `Hold::alone` for what nothing else may be under way with. Empty where the database has one writer.
    [[nodiscard]] std::vector<db::Statement> hold(Hold how) const;
    /// What must follow the reads of a unit that holds alone; empty where a hold is all there is to it.
    [[nodiscard]] std::vector<db::Statement> count_alone() const;
    /// Whether a unit sees less than was committed when it got its hold: `held` are the results of `hold`, `seen` is
    /// the generation as a plain read behind them found it.
    [[nodiscard]] bool is_overtaken(std::span<const db::Result> held, const Generation& seen) const;
    /// Adds the rows of a `load` or `page`; a row whose checksum does not match has a `defect`.
    static void fill(const db::Result& rows, KeyStates& states);
    [[nodiscard]] static std::vector<Generation> generations(const db::Result& rows);
    [[nodiscard]] static std::vector<LanePosition> lanes(const db::Result& rows);

    /// One row per key, `where version = loaded and epoch = loaded`. Rows that are there come first and keys in their
    /// order, as `load_alone` locks them: two units that write several keys do not wait for each other in a circle.
    void write_states(std::int64_t generation, std::span<const KeyFold> keys, Writes& writes) const;
    void write_deltas(std::int64_t generation, StreamPosition at, std::span<const KeyFold> keys, Writes& writes) const;
    /// As `write_states`, whatever was there before.
    void put_states(std::int64_t generation, std::span<const KeyFold> keys, Writes& writes) const;
    /// Removes the delta rows that `trim_versions` and `trim_age` found, where these do not remove them.
    void remove_deltas(std::int64_t generation, std::span<const db::Result> found, Writes& writes) const;
    [[nodiscard]] Write park(std::int64_t generation, const ParkedEvent& event, const outbox::Message& message) const;
    /// A parked message's payload, which may be any bytes.
    [[nodiscard]] static std::string payload_of(const db::Row& row);

private:
    template <class Append>
    void in_chunks(const RowTexts& texts, std::int64_t generation, std::span<const KeyFold* const> keys, Writes& writes,
                   Append append) const;

    const Texts& texts_;
    std::string projection_;
};

/// For units that look, decide and write: each statement sees what is committed. Their bodies may run again: a lock
/// that another unit keeps for too long, or a deadlock with it, undoes them.
[[nodiscard]] db::TransactionOptions read_committed();

/// `Hold::alone` until the unit ends. `session` and `store` outlive the task.
db::Task<void> hold_alone(const Store& store, db::Session& session);

/// The deltas of one row, one JSON text a line (canonical JSON holds no line break).
[[nodiscard]] std::string join_lines(std::span<const std::string> texts);
[[nodiscard]] std::vector<std::string> split_lines(std::string_view lines);

/// Text of an exception as a column can hold it: UTF-8 without NUL, at most 1,000 bytes.
[[nodiscard]] std::string storable(std::string_view text);

/// Runs `writes` in one round trip and checks what they touched. Throws projection::Error `conflict`; then the unit
/// must end. `session` outlives the task.
db::Task<void> run_writes(db::Session& session, std::string projection, Writes writes);

}  // namespace sluice::projection::internal
