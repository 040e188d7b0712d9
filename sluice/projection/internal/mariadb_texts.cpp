// MariaDB: rows' values as one JSON array of rows, so that one prepared text serves any number of rows. The columns of
// `json_table` name their character set, because they would have the database's otherwise.
#include <initializer_list>
#include <string_view>

#include <fmt/format.h>

#include "sluice/core/mutant.hpp"
#include "sluice/projection/internal/common_texts.hpp"

namespace sluice::projection::internal {
namespace {

constexpr const char* kMariadbNow = "(timestampdiff(microsecond, '1970-01-01', utc_timestamp(6)) div 1000)";
/// Bounds for one statement: its rows, and its text, whose packet must fit into `max_allowed_packet` with every escape.
constexpr std::size_t kRowsAtOnce = 4'096;
constexpr std::size_t kBytesAtOnce = 1024 * 1024;

constexpr const char* kKeyType = "varchar(512) character set utf8mb4 collate utf8mb4_nopad_bin";

std::string_view type_of(std::string_view column) {
    if (column == "\"key\"") return kKeyType;
    const bool is_text = column == "state" || column == "deltas" || column == "positions" || column == "\"undo\"";
    return is_text ? "longtext character set utf8mb4" : "bigint";
}

/// The rows of the JSON parameter `$3`, which give these columns' values in this order.
std::string rows_of(std::initializer_list<std::string_view> columns) {
    std::string made;
    std::size_t at = 0;
    for (const std::string_view column : columns) {
        const char* const comma = made.empty() ? "" : ", ";
        made += fmt::format("{}{} {} path '$[{}]'", comma, column, type_of(column), at++);
    }
    return fmt::format("json_table($3, '$[*]' columns ({}))", made);
}

/// The keys of the JSON parameter `parameter`, as "key" of `wanted`.
std::string wanted_keys(std::string_view parameter) {
    return fmt::format("json_table({}, '$[*]' columns (\"key\" {} path '$')) as wanted", parameter, kKeyType);
}

RowTexts up_to_a_packet(std::string sql) {
    return {{kRowsAtOnce, std::move(sql), kBytesAtOnce}};
}

std::string insert_mariadb_states() {
    return fmt::format(
        "insert into sluice_projection_state(projection, generation, \"key\", version, epoch, state, checksum, "
        "position, updated_at) select $1, $2, n.\"key\", n.version, n.epoch, n.state, n.checksum, n.position, {} from "
        "{} as n",
        kMariadbNow, rows_of({"\"key\"", "version", "epoch", "state", "checksum", "position"}));
}

/// A key that somebody else inserted is an error here, for `insert ignore` would let pass what does not fit as well.
void fill_mariadb_writes(Texts& t) {
    t.insert = up_to_a_packet(insert_mariadb_states());
    t.put = up_to_a_packet(insert_mariadb_states() +
                           " on duplicate key update version = values(version), epoch = values(epoch), state = "
                           "values(state), checksum = values(checksum), position = values(position), updated_at = "
                           "greatest(sluice_projection_state.updated_at, values(updated_at))");
    t.counts_put = false;  // a row that was there counts twice, unless nothing changed
    // Row by row through the primary key: each is locked without the gap before it, where others insert keys.
    t.update = up_to_a_packet(fmt::format(
        "update {} as n straight_join sluice_projection_state as s on s.projection = $1 and s.generation = $2 and "
        "s.\"key\" = n.\"key\" set s.version = n.version, s.state = n.state, s.checksum = n.checksum, s.position = "
        "n.position, s.updated_at = greatest(s.updated_at, {}) where s.version = n.version_before and s.epoch = "
        "n.epoch_before",
        rows_of({"\"key\"", "version_before", "epoch_before", "version", "epoch", "state", "checksum", "position"}),
        kMariadbNow));
    t.insert_delta = up_to_a_packet(fmt::format(
        "insert into sluice_projection_delta(projection, generation, stream, position, \"key\", first_version, "
        "last_version, deltas, positions, \"undo\", at) select $1, $2, n.stream, n.position, n.\"key\", "
        "n.first_version, n.last_version, n.deltas, n.positions, n.\"undo\", {} from {} as n",
        kMariadbNow,
        rows_of(
            {"stream", "position", "\"key\"", "first_version", "last_version", "deltas", "positions", "\"undo\""})));
    t.move_lane =
        "insert into sluice_projection_lane(projection, generation, lane, sequence, position) values ($1, $2, $3, $4, "
        "$5) on duplicate key update position = if(values(sequence) > sequence, greatest(position, values(position)), "
        "position), sequence = greatest(sequence, values(sequence))";
}

void fill_mariadb_reads(Texts& t) {
    t.load = "select s.\"key\", s.version, s.epoch, s.state, s.checksum, s.position from " + wanted_keys("$3") +
             " straight_join sluice_projection_state as s on s.projection = $1 and s.generation = $2 and s.\"key\" = "
             "wanted.\"key\"";
    // Whoever locks a row that is not there locks the gap around it, also against other new keys, and two of them end
    // in a deadlock: so only rows are locked that a plain read finds. `apply_event` notices a key that it missed when
    // it inserts it.
    const char* const if_there =
        " where (select 1 from sluice_projection_state as there where there.projection = $1 and there.generation = $2 "
        "and there.\"key\" = wanted.\"key\")";
    t.load_alone = t.load + (core::mutant("projection_mariadb_locks_gaps") ? "" : if_there) + " for update";
    t.read_many =
        "select p.state_version, greatest(p.epoch, s.epoch) as epoch, s.\"key\", s.version, s.state, s.checksum from "
        "sluice_projection as p straight_join " +
        wanted_keys("$2") +
        " straight_join sluice_projection_state as s on s.projection = p.projection and s.generation = p.generation "
        "and s.\"key\" = wanted.\"key\" where p.projection = $1 and p.active = 1 and s.state is not null";
    // The generation as a constant, else the server sorts all keys behind $3. Indexes are named where statistics that
    // lag behind would choose to read a whole generation.
    t.list =
        "select p.state_version, greatest(p.epoch, s.epoch) as epoch, s.\"key\", s.version, s.state, s.checksum from "
        "sluice_projection as p straight_join sluice_projection_state as s where p.projection = $1 and p.active = 1 "
        "and s.projection = $1 and s.generation = (select generation from sluice_projection where projection = $1 and "
        "active = 1) and s.\"key\" >= $2 and s.\"key\" > $3 and s.state is not null order by s.\"key\" limit $4";
    t.range =
        "select greatest(p.epoch, coalesce(s.epoch, 0)) as epoch, d.first_version, d.last_version, d.deltas from "
        "sluice_projection as p left join sluice_projection_state as s on s.projection = p.projection and s.generation "
        "= p.generation and s.\"key\" = $2 left join sluice_projection_delta as d force index "
        "(sluice_projection_delta_key) on d.projection = p.projection and d.generation = p.generation and d.\"key\" = "
        "$2 and d.last_version > $3 and d.first_version <= $4 where p.projection = $1 and p.active = 1 order by "
        "d.first_version";
    t.parked_keys =
        "select distinct \"key\" from sluice_projection_parked force index (sluice_projection_parked_status) where "
        "projection = $1 and generation = $2 and status = 'failed'";
}

/// A delete by range locks the gaps before its rows, where batches of other lanes insert: rows of the log that serves
/// are looked for by a plain read and removed by their keys. Nobody inserts into a generation that is dropped.
void fill_mariadb_trims(Texts& t) {
    t.trim_states =
        "delete from sluice_projection_state where projection = $1 and generation = $2 order by \"key\" limit $3";
    t.trim_deltas =
        "delete from sluice_projection_delta where projection = $1 and generation = $2 order by stream, position, "
        "\"key\" limit $3";
    t.trim_versions =
        "select stream, position, \"key\" from sluice_projection_delta force index (sluice_projection_delta_key) where "
        "projection = $1 and generation = $2 and \"key\" = $3 and last_version <= $4";
    t.trim_age = fmt::format(
        "select oldest.stream, oldest.position, oldest.\"key\" from (select stream, position, \"key\", at from "
        "sluice_projection_delta where projection = $1 and generation = $2 and stream = $3 order by position, \"key\" "
        "limit $5) as oldest where oldest.at < {} - $4",
        kMariadbNow);
    t.remove_deltas = fmt::format(
        "delete d from {} as n straight_join sluice_projection_delta as d on d.projection = $1 and d.generation = $2 "
        "and d.stream = n.stream and d.position = n.position and d.\"key\" = n.\"key\"",
        rows_of({"stream", "position", "\"key\""}));
}

/// MariaDB's own locks belong to the session, which a pool lends on: so units share a row, or have it alone. InnoDB
/// serves a row's waiters in their order, so whoever wants it alone is not passed. It is the first lock of a projection
/// that a unit takes, keys come after it in their order, and who holds alone waits for nobody else: no circle.
///
/// In REPEATABLE READ a unit sees what was committed at its first plain read, which may be before its hold; a read that
/// locks sees the newest. If somebody held alone in between, the two read different counts. `count_alone` comes after
/// the plain read, because a unit would see its own.
void fill_mariadb_holds(Texts& t) {
    const std::string count = "select alone from sluice_projection_hold where projection = $1 ";
    t.hold = {count + "lock in share mode"};
    t.hold_alone = {
        // Also makes the row, and locks it alone at once: two who first shared it would wait for each other.
        "insert into sluice_projection_hold(projection, alone) values ($1, 0) on duplicate key update alone = alone",
        count + "for update"};
    t.count_alone = {"update sluice_projection_hold set alone = alone + 1 where projection = $1"};
}

/// A column for a name of a projection, and the end of every table: texts compare by their bytes.
constexpr const char* kName = "varchar(128) character set ascii collate ascii_nopad_bin not null";
constexpr const char* kTable = "engine = InnoDB, character set = utf8mb4, collate = utf8mb4_nopad_bin";

}  // namespace

Texts mariadb_texts() {
    Texts t;
    t.form = RowForm::json;
    fill_common(t, {.now = kMariadbNow,
                    .greatest = "greatest",
                    .alone = "coalesce((select h.alone from sluice_projection_hold as h where h.projection = $1), 0)",
                    .or_nothing = "on duplicate key update position = values(position)"});
    fill_mariadb_holds(t);
    fill_mariadb_writes(t);
    fill_mariadb_reads(t);
    fill_mariadb_trims(t);
    return t;
}

/// What is active or failed is looked for by an index, where the others have one of those rows alone.
std::vector<std::string> mariadb_tables() {
    return {
        fmt::format(R"(create table sluice_projection(
  projection {0}, generation bigint not null, state_version bigint not null,
  status varchar(16) character set ascii collate ascii_nopad_bin not null
    check (status in ('building', 'active', 'retired')),
  epoch bigint not null, epoch_given bigint not null, ledger_epoch bigint not null,
  began bigint, base bigint not null, progress longtext,
  created_at bigint not null, updated_at bigint not null,
  active tinyint generated always as (if(status = 'active', 1, null)) virtual,
  primary key (projection, generation), unique key sluice_projection_active (projection, active)) {1})",
                    kName, kTable),
        fmt::format(R"(create table sluice_projection_hold(
  projection {0}, alone bigint not null, primary key (projection)) {1})",
                    kName, kTable),
        fmt::format(R"(create table sluice_projection_lane(
  projection {0}, generation bigint not null, lane bigint not null,
  sequence bigint not null, position bigint not null,
  primary key (projection, generation, lane)) {1})",
                    kName, kTable),
        fmt::format(R"(create table sluice_projection_state(
  projection {0}, generation bigint not null, "key" varchar(512) not null,
  version bigint not null, epoch bigint not null default 0, state longtext, checksum bigint not null,
  position bigint not null, updated_at bigint not null,
  primary key (projection, generation, "key")) {1})",
                    kName, kTable),
        fmt::format(R"(create table sluice_projection_delta(
  projection {0}, generation bigint not null, stream bigint not null, position bigint not null,
  "key" varchar(512) not null, first_version bigint not null, last_version bigint not null,
  deltas longtext not null, positions longtext not null, "undo" longtext, at bigint not null,
  primary key (projection, generation, stream, position, "key"),
  key sluice_projection_delta_key (projection, generation, "key", last_version)) {1})",
                    kName, kTable),
        fmt::format(R"(create table sluice_projection_parked(
  projection {0}, generation bigint not null, "key" varchar(512) not null, position bigint not null,
  status varchar(16) character set ascii collate ascii_nopad_bin not null
    check (status in ('failed', 'waiting', 'skipped')),
  queue text not null, lane bigint not null, sequence bigint not null, message_id bigint not null,
  ledger_epoch bigint not null, message_key text not null, type text not null, payload longblob not null,
  tenant text not null, created_at bigint not null, text text not null, attempts bigint not null, at bigint not null,
  primary key (projection, generation, "key", position),
  key sluice_projection_parked_status (projection, generation, status, "key")) {1})",
                    kName, kTable),
    };
}

}  // namespace sluice::projection::internal
