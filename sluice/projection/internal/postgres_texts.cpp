// PostgreSQL: rows' values as one array per column, so that one prepared text serves any number of rows.
#include <fmt/format.h>

#include "sluice/projection/internal/common_texts.hpp"

namespace sluice::projection::internal {
namespace {

constexpr const char* kPostgresNow = "cast(extract(epoch from statement_timestamp()) * 1000 as bigint)";
/// A bound for one statement's memory; fewer would cost round trips' worth of planning.
constexpr std::size_t kMostRows = 4'096;

constexpr const char* kStateRows =
    "unnest($3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::bigint[], $8::bigint[]) as n(key, version, epoch, "
    "state, checksum, position)";

RowTexts any_number(std::string sql) {
    return {{kMostRows, std::move(sql)}};
}

std::string insert_states() {
    return fmt::format(
        "insert into sluice_projection_state as s(projection, generation, key, version, epoch, state, checksum, "
        "position, updated_at) select $1::text, $2::bigint, n.key, n.version, n.epoch, nullif(n.state, ''), "
        "n.checksum, n.position, "
        "{} from {}",
        kPostgresNow, kStateRows);
}

void fill_writes(Texts& t) {
    t.insert = any_number(insert_states() + " on conflict do nothing");
    t.put = any_number(
        insert_states() +
        " on conflict(projection, generation, key) do update set version = excluded.version, epoch = excluded.epoch, "
        "state = excluded.state, checksum = excluded.checksum, position = excluded.position, updated_at = "
        "greatest(s.updated_at, excluded.updated_at)");
    // An upsert finds each row by the key's index, whatever the planner knows of the table: an update from a join would
    // read all of a projection's rows until the table's first ANALYZE. The version that was read travels as updated_at,
    // which `greatest` keeps from going back within a key, whatever the clock does.
    t.update = any_number(fmt::format(
        "insert into sluice_projection_state as s(projection, generation, key, version, epoch, state, checksum, "
        "position, updated_at) select $1::text, $2::bigint, n.key, n.version, n.epoch, nullif(n.state, ''), "
        "n.checksum, n.position, n.version_before from unnest($3::text[], $4::bigint[], $5::bigint[], $6::bigint[], "
        "$7::bigint[], $8::text[], $9::bigint[], $10::bigint[]) as n(key, version_before, epoch_before, version, "
        "epoch, "
        "state, checksum, position) on conflict(projection, generation, key) do update set version = "
        "excluded.version, state = excluded.state, checksum = excluded.checksum, position = excluded.position, "
        "updated_at = greatest(s.updated_at, {}) where s.version = excluded.updated_at and s.epoch = excluded.epoch",
        kPostgresNow));
    // A row that is there already belongs to somebody who also wrote the state, which is where that is noticed.
    t.insert_delta = any_number(fmt::format(
        "insert into sluice_projection_delta(projection, generation, stream, position, key, first_version, "
        "last_version, deltas, positions, undo, at) select $1::text, $2::bigint, n.stream, n.position, n.key, "
        "n.first_version, "
        "n.last_version, n.deltas, n.positions, nullif(n.undo, ''), {} from unnest($3::bigint[], $4::bigint[], "
        "$5::text[], $6::bigint[], $7::bigint[], $8::text[], $9::text[], $10::text[]) as n(stream, position, key, "
        "first_version, last_version, deltas, positions, undo) on conflict do nothing",
        kPostgresNow));
}

/// Key by key through the index, whatever the planner knows of the table.
void fill_reads(Texts& t) {
    const std::string row =
        "select key, version, epoch, state, checksum, position from sluice_projection_state where projection = ";
    const std::string load =
        "select s.key, s.version, s.epoch, s.state, s.checksum, s.position from unnest($3::text[]) as wanted(key) "
        "cross join lateral (" +
        row + "$1 and generation = $2 and key = wanted.key limit 1";
    t.load = load + ") as s";
    t.load_alone = load + " for update) as s";
    t.read_many =
        "select p.state_version, greatest(p.epoch, s.epoch) as epoch, s.key, s.version, s.state, s.checksum from "
        "sluice_projection as p cross join unnest($2::text[]) as wanted(key) cross join lateral (" +
        row +
        "p.projection and generation = p.generation and key = wanted.key limit 1) as s where p.projection = $1 and "
        "p.status = 'active' and s.state is not null";
}

/// Rows by their place, so that the rest of a generation is not read for each part of it.
void fill_trims(Texts& t) {
    t.trim_states =
        "delete from sluice_projection_state where ctid = any(array(select ctid from sluice_projection_state where "
        "projection = $1 and generation = $2 order by key limit $3))";
    t.trim_deltas =
        "delete from sluice_projection_delta where ctid = any(array(select ctid from sluice_projection_delta where "
        "projection = $1 and generation = $2 order by stream, position, key limit $3))";
    t.trim_age = fmt::format(
        "delete from sluice_projection_delta where ctid = any(array(select oldest.ctid from (select ctid, at from "
        "sluice_projection_delta where projection = $1 and generation = $2 and stream = $3 order by position, key "
        "limit $5) as oldest where at < {} - $4))",
        kPostgresNow);
}

/// An advisory lock, because whoever waits for a row to be alone with it is passed by everybody who shares it. A unit
/// of a stricter isolation does not see what was committed while it waited: the row itself then tells it to run again.
void fill_holds(Texts& t) {
    const std::string lock = "select pg_advisory_xact_lock";
    const std::string of = "(hashtextextended('sluice_projection ' || $1::text, 0))";
    const std::string fresh =
        "select generation from sluice_projection where projection = $1 and status = 'active' and "
        "current_setting('transaction_isolation') <> 'read committed' for share";
    t.hold = {lock + "_shared" + of, fresh};
    t.hold_alone = {lock + of, fresh};
}

}  // namespace

Texts postgres_texts() {
    Texts t;
    t.form = RowForm::columns;
    fill_common(t, {.now = kPostgresNow, .greatest = "greatest", .alone = "0"});
    fill_holds(t);
    fill_writes(t);
    fill_reads(t);
    fill_trims(t);
    return t;
}

/// Keys compare by their bytes, as everywhere. Rows that are written again and again leave room in their page, so that
/// no index has to follow them.
std::vector<std::string> postgres_tables() {
    return {
        R"(create table sluice_projection(
  projection text collate "C" not null, generation bigint not null, state_version bigint not null,
  status text not null check (status in ('building', 'active', 'retired')),
  epoch bigint not null, epoch_given bigint not null, ledger_epoch bigint not null,
  began bigint, base bigint not null, progress text,
  created_at bigint not null, updated_at bigint not null,
  primary key (projection, generation)) with (fillfactor = 50))",
        R"(create unique index sluice_projection_active on sluice_projection(projection) where status = 'active')",
        R"(create table sluice_projection_lane(
  projection text collate "C" not null, generation bigint not null, lane bigint not null,
  sequence bigint not null, position bigint not null,
  primary key (projection, generation, lane)) with (fillfactor = 50))",
        R"(create table sluice_projection_state(
  projection text collate "C" not null, generation bigint not null, key text collate "C" not null,
  version bigint not null, epoch bigint not null default 0, state text, checksum bigint not null,
  position bigint not null, updated_at bigint not null,
  primary key (projection, generation, key)) with (fillfactor = 80))",
        R"(create table sluice_projection_delta(
  projection text collate "C" not null, generation bigint not null, stream bigint not null, position bigint not null,
  key text collate "C" not null, first_version bigint not null, last_version bigint not null,
  deltas text not null, positions text not null, undo text, at bigint not null,
  primary key (projection, generation, stream, position, key)))",
        R"(create index sluice_projection_delta_key on sluice_projection_delta(projection, generation, key, last_version))",
        R"(create table sluice_projection_parked(
  projection text collate "C" not null, generation bigint not null, key text collate "C" not null,
  position bigint not null, status text not null check (status in ('failed', 'waiting', 'skipped')),
  queue text not null, lane bigint not null, sequence bigint not null, message_id bigint not null,
  ledger_epoch bigint not null, message_key text not null, type text not null, payload bytea not null,
  tenant text not null, created_at bigint not null, text text not null, attempts bigint not null, at bigint not null,
  primary key (projection, generation, key, position)))",
        R"(create index sluice_projection_parked_failed on sluice_projection_parked(projection, generation, key)
  where status = 'failed')",
    };
}

}  // namespace sluice::projection::internal
