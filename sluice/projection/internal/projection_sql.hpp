// Every SQL text of projections, per dialect. Placeholders as the facade has them: $1…$n.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "sluice/db/statement.hpp"

namespace sluice::projection::internal {

/// How the values of many rows are given, behind those that they share.
enum class RowForm : std::uint8_t {
    values,   ///< row by row, for exactly so many rows
    columns,  ///< for any number up to it: an array per column, in which a text that is missing is empty
    json,     ///< for any number up to it: one JSON array of rows, which are arrays themselves
};

/// A statement over many rows, for at most so many.
struct RowsText {
    std::size_t rows = 0;
    std::string sql;
    std::size_t bytes = std::numeric_limits<std::size_t>::max();  ///< of text, after which no row is added
};
/// Most rows first.
using RowTexts = std::vector<RowsText>;

struct Texts {
    RowForm form = RowForm::values;
    bool counts_put = true;  ///< whether `put` affects each row once

    // Who changes states at the same time; nothing where a database has one writer. $1 projection
    std::vector<std::string> hold;  ///< until the unit ends nobody holds alone: the generation stays the active one
    std::vector<std::string> hold_alone;  ///< until the unit ends nobody else holds; the wait is fair
    /// Nothing where what is read after a hold is all that was committed before it. Else the last statement of either
    /// hold answers how often somebody has held alone, `active` how often that was as the unit sees the database, and
    /// this counts one more, once whoever holds alone has read.
    std::vector<std::string> count_alone;

    // sluice_projection: $1 projection
    std::string active;  ///< the generation that is read and applied to
    std::string all_generations;
    std::string
        create_generation;    ///< $2 generation $3 state_version $4 status $5 epoch $6 ledger_epoch $7 began $8 base
    std::string raise_epoch;  ///< $2 generation $3 new epoch $4 ledger epoch $5 epoch now
    std::string note_ledger_epoch;  ///< $2 generation $3 ledger epoch
    std::string give_epoch;         ///< $2 generation $3 new highest epoch given
    std::string set_began;          ///< $2 position
    std::string set_progress;       ///< $2 generation, which is being built $3 progress
    std::string retire;             ///< $2 generation, which is active
    std::string abandon;            ///< $2 generation, if it is being built: nobody can go on with it
    std::string activate;           ///< $2 generation $3 epoch $4 base $5 ledger epoch
    std::string drop_generation;    ///< $2 generation
    std::string move_lane;          ///< $2 generation $3 lane $4 sequence $5 position
    std::string copy_lanes;         ///< $2 from $3 to
    std::string drop_lanes;
    std::string lanes;  ///< $2 generation

    // sluice_projection_state: $1 projection $2 generation
    std::string load;         ///< $3 keys
    std::string load_alone;   ///< $3 keys: whoever else writes them waits
    RowTexts insert;          ///< key, version, epoch, state, checksum, position
    RowTexts update;          ///< key, version before, epoch before, version, epoch, state, checksum, position
    RowTexts put;             ///< $3… the same row, whatever was there
    std::string page;         ///< $3 after key $4 limit
    std::string trim_states;  ///< $3 limit

    // sluice_projection_delta: $1 projection $2 generation
    RowTexts insert_delta;      ///< stream, position, key, first, last, deltas, positions, undo
    std::string trim_versions;  ///< $3 key $4 last version that goes
    std::string trim_age;       ///< $3 stream $4 age, ms $5 limit
    /// Empty: the two above remove rows. Else they answer stream, position and key of rows, which this removes: $3
    /// those, as one JSON array of arrays.
    std::string remove_deltas;
    std::string drop_key_deltas;  ///< $3 key
    std::string trim_deltas;      ///< $3 limit

    // sluice_projection_parked: $1 projection $2 generation
    std::string parked_keys;
    std::string park;  ///< $3 key $4 position $5 status $6 queue $7 lane $8 sequence $9 id $10 ledger epoch
                       ///< $11 message key $12 type $13 payload $14 tenant $15 created at $16 text
    std::string count_parked;
    std::string parked_of_key;  ///< $3 key $4 limit
    std::string parked_status;  ///< $3 limit
    std::string unpark;         ///< $3 key $4 last position that goes
    std::string mark_failed;    ///< $3 key $4 position $5 text
    std::string mark_skipped;   ///< $3 key $4 position
    std::string skipped;        ///< all of them
    std::string copy_skipped;   ///< $3 to generation
    std::string drop_parked;
    std::string last_position_of_key;  ///< $3 key: folded or waiting

    // reading: $1 projection
    std::string read;       ///< $2 key
    std::string read_many;  ///< $2 keys
    std::string list;       ///< $2 from key (included) $3 after key $4 limit
    std::string range;      ///< $2 key $3 after version $4 to version
};

[[nodiscard]] const Texts& texts(db::Dialect dialect);

[[nodiscard]] Texts sqlite_texts();
[[nodiscard]] Texts postgres_texts();
[[nodiscard]] Texts mariadb_texts();
[[nodiscard]] std::vector<std::string> sqlite_tables();
[[nodiscard]] std::vector<std::string> postgres_tables();
[[nodiscard]] std::vector<std::string> mariadb_tables();

}  // namespace sluice::projection::internal
