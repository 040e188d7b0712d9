#include "sluice/projection/internal/projection_sql.hpp"

#include <iterator>

#include <fmt/format.h>

#include "sluice/projection/error.hpp"

namespace sluice::projection::internal {
namespace {

/// Milliseconds since 1970 by the database's clock; one moment per statement.
constexpr const char* kNow = "cast(round((julianday('now') - 2440587.5) * 86400000.0) as integer)";

/// "values ($3,$4),($5,$6)" for `rows` rows of `columns` values after two shared ones. What is the same in every row
/// stands outside, so that the largest text is short enough for the driver's statement cache.
std::string value_rows(std::size_t rows, std::size_t columns) {
    std::string text = "values ";
    std::size_t next = 3;
    for (std::size_t row = 0; row < rows; ++row) {
        text += row == 0 ? "(" : ",(";
        for (std::size_t column = 0; column < columns; ++column)
            fmt::format_to(std::back_inserter(text), "{}${}", column == 0 ? "" : ",", next++);
        text += ")";
    }
    return text;
}

template <class Make>
RowTexts per_size(Make make) {
    RowTexts made;
    for (std::size_t i = 0; i < kRowCounts.size(); ++i)
        made[i] = make(kRowCounts[i]);
    return made;
}

/// `where true`: without it `on conflict` would be read as a join.
std::string sqlite_insert_states(std::size_t rows) {
    return fmt::format(
        "insert into sluice_projection_state(projection, generation, key, version, epoch, state, checksum, position, "
        "updated_at) select $1, $2, column1, column2, column3, column4, column5, column6, {} from ({}) where true",
        kNow, value_rows(rows, 6));
}

RowTexts sqlite_insert() {
    return per_size([](std::size_t rows) { return sqlite_insert_states(rows) + " on conflict do nothing"; });
}

RowTexts sqlite_put() {
    return per_size([](std::size_t rows) {
        return sqlite_insert_states(rows) +
               " on conflict(projection, generation, key) do update set version = excluded.version, epoch = "
               "excluded.epoch, state = excluded.state, checksum = excluded.checksum, position = excluded.position, "
               "updated_at = max(updated_at, excluded.updated_at)";
    });
}

/// `max(updated_at, now)`: it never goes back within a key, whatever the clock does.
RowTexts sqlite_update() {
    return per_size([](std::size_t rows) {
        return fmt::format(
            "update sluice_projection_state as s set version = n.column4, epoch = n.column5, state = n.column6, "
            "checksum = n.column7, position = n.column8, updated_at = max(s.updated_at, {}) from ({}) as n "
            "where s.projection = $1 and s.generation = $2 and s.key = n.column1 and s.version = n.column2 "
            "and s.epoch = n.column3",
            kNow, value_rows(rows, 8));
    });
}

RowTexts sqlite_insert_delta() {
    return per_size([](std::size_t rows) {
        return fmt::format(
            "insert into sluice_projection_delta(projection, generation, stream, position, key, first_version, "
            "last_version, deltas, positions, undo, at) select $1, $2, column1, column2, column3, column4, column5, "
            "column6, column7, column8, {} from ({})",
            kNow, value_rows(rows, 8));
    });
}

void fill_generations(Texts& t) {
    const std::string columns =
        "generation, state_version, status, epoch, epoch_given, ledger_epoch, began, base, coalesce(progress, '') as "
        "progress";
    t.active = "select " + columns + " from sluice_projection where projection = $1 and status = 'active'";
    t.all_generations = "select " + columns + " from sluice_projection where projection = $1 order by generation";
    t.create_generation = fmt::format(
        "insert into sluice_projection(projection, generation, state_version, status, epoch, epoch_given, "
        "ledger_epoch, "
        "began, base, created_at, updated_at) values ($1, $2, $3, $4, $5, $5, $6, $7, $8, {0}, {0})",
        kNow);
    t.raise_epoch = fmt::format(
        "update sluice_projection set epoch = $3, epoch_given = $3, ledger_epoch = $4, updated_at = {} "
        "where projection = $1 and generation = $2 and epoch = $5",
        kNow);
    t.note_ledger_epoch =
        "update sluice_projection set ledger_epoch = $3 where projection = $1 and generation = $2 and ledger_epoch < "
        "$3";
    t.give_epoch = fmt::format(
        "update sluice_projection set epoch_given = $3, updated_at = {} where projection = $1 and generation = $2 "
        "and epoch_given < $3",
        kNow);
    t.set_began = "update sluice_projection set began = $2 where projection = $1 and began is null";
    t.set_progress = fmt::format(
        "update sluice_projection set progress = $3, updated_at = {} where projection = $1 and generation = $2", kNow);
    t.retire = fmt::format(
        "update sluice_projection set status = 'retired', updated_at = {} where projection = $1 and generation = $2 "
        "and status = 'active'",
        kNow);
    t.activate = fmt::format(
        "update sluice_projection set status = 'active', epoch = $3, epoch_given = $3, base = $4, ledger_epoch = $5, "
        "progress = null, updated_at = {} where projection = $1 and generation = $2 and status = 'building'",
        kNow);
    t.drop_generation = "delete from sluice_projection where projection = $1 and generation = $2";
    t.move_lane =
        "insert into sluice_projection_lane(projection, generation, lane, sequence, position) values ($1, $2, $3, $4, "
        "$5) on conflict(projection, generation, lane) do update set sequence = excluded.sequence, position = "
        "max(position, excluded.position) where excluded.sequence > sequence";
    t.copy_lanes =
        "insert into sluice_projection_lane(projection, generation, lane, sequence, position) select projection, $3, "
        "lane, sequence, position from sluice_projection_lane where projection = $1 and generation = $2";
    t.drop_lanes = "delete from sluice_projection_lane where projection = $1 and generation = $2";
    t.lanes =
        "select lane, sequence, position from sluice_projection_lane where projection = $1 and generation = $2 order "
        "by lane";
}

void fill_states(Texts& t) {
    t.load =
        "select s.key, s.version, s.epoch, s.state, s.checksum, s.position from json_each($3) as wanted cross join "
        "sluice_projection_state as s where s.projection = $1 and s.generation = $2 and s.key = wanted.value";
    t.insert = sqlite_insert();
    t.update = sqlite_update();
    t.put = sqlite_put();
    t.page =
        "select key, version, epoch, state, checksum, position from sluice_projection_state where projection = $1 and "
        "generation = $2 and key > $3 order by key limit $4";
    t.trim_states =
        "delete from sluice_projection_state where projection = $1 and generation = $2 and key in (select key from "
        "sluice_projection_state where projection = $1 and generation = $2 order by key limit $3)";
}

void fill_deltas(Texts& t) {
    t.insert_delta = sqlite_insert_delta();
    t.trim_versions =
        "delete from sluice_projection_delta where projection = $1 and generation = $2 and key = $3 and last_version "
        "<= $4";
    // The inner limit comes first: a stream's rows are in order of time, so a young front ends the search.
    t.trim_age = fmt::format(
        "delete from sluice_projection_delta where projection = $1 and generation = $2 and stream = $3 and (position, "
        "key) in (select position, key from (select position, key, at from sluice_projection_delta where projection = "
        "$1 and generation = $2 and stream = $3 order by position, key limit $5) where at < {} - $4)",
        kNow);
    t.drop_key_deltas = "delete from sluice_projection_delta where projection = $1 and generation = $2 and key = $3";
    t.trim_deltas =
        "delete from sluice_projection_delta where projection = $1 and generation = $2 and (stream, position, key) in "
        "(select stream, position, key from sluice_projection_delta where projection = $1 and generation = $2 order by "
        "stream, position, key limit $3)";
}

void fill_parked(Texts& t) {
    const std::string of = " where projection = $1 and generation = $2";
    t.parked_keys = "select distinct key from sluice_projection_parked" + of + " and status = 'failed'";
    t.park = fmt::format(
        "insert into sluice_projection_parked(projection, generation, key, position, status, queue, lane, sequence, "
        "message_id, ledger_epoch, message_key, type, payload, tenant, created_at, text, attempts, at) values ($1, $2, "
        "$3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 1, {}) on conflict do nothing",
        kNow);
    t.count_parked = "select count(*) as parked from sluice_projection_parked" + of + " and status <> 'skipped'";
    t.parked_of_key =
        "select position, status, queue, lane, sequence, message_id, ledger_epoch, message_key, type, payload, tenant, "
        "created_at, text from sluice_projection_parked" +
        of + " and key = $3 and status <> 'skipped' order by position limit $4";
    t.parked_status =
        "select f.key, f.position, f.queue, f.type, f.payload, f.text, f.attempts, f.at, (select count(*) from "
        "sluice_projection_parked as w where w.projection = $1 and w.generation = $2 and w.key = f.key and w.status = "
        "'waiting') as waiting from sluice_projection_parked as f where f.projection = $1 and f.generation = $2 and "
        "f.status = 'failed' order by f.key, f.position limit $3";
    t.unpark = "delete from sluice_projection_parked" + of + " and key = $3 and position <= $4 and status <> 'skipped'";
    t.mark_failed =
        fmt::format(
            "update sluice_projection_parked set status = 'failed', text = $5, attempts = attempts + 1, at = {}",
            kNow) +
        of + " and key = $3 and position = $4";
    t.mark_skipped = "update sluice_projection_parked set status = 'skipped'" + of +
                     " and key = $3 and position = $4 and status = 'failed'";
    t.skipped = "select key, position from sluice_projection_parked" + of + " and status = 'skipped'";
    t.copy_skipped =
        "insert into sluice_projection_parked(projection, generation, key, position, status, queue, lane, sequence, "
        "message_id, ledger_epoch, message_key, type, payload, tenant, created_at, text, attempts, at) select "
        "projection, $3, key, position, status, queue, lane, sequence, message_id, ledger_epoch, message_key, type, "
        "payload, tenant, created_at, text, attempts, at from sluice_projection_parked" +
        of + " and status = 'skipped' on conflict do nothing";
    t.last_position_of_key = "select max(coalesce((select position from sluice_projection_state" + of +
                             " and key = $3), 0), coalesce((select max(position) from sluice_projection_parked" + of +
                             " and key = $3 and status <> 'skipped'), 0))";
    t.drop_parked = "delete from sluice_projection_parked" + of;
}

void fill_reading(Texts& t) {
    const std::string active =
        " from sluice_projection as p left join sluice_projection_state as s on s.projection = "
        "p.projection and s.generation = p.generation";
    t.read = "select p.state_version, max(p.epoch, coalesce(s.epoch, 0)) as epoch, s.version, s.state, s.checksum" +
             active + " and s.key = $2 where p.projection = $1 and p.status = 'active'";
    t.read_many =
        "select p.state_version, max(p.epoch, s.epoch) as epoch, s.key, s.version, s.state, s.checksum from "
        "sluice_projection as p cross join json_each($2) as wanted cross join sluice_projection_state as s where "
        "p.projection = $1 and p.status = 'active' and s.projection = p.projection and s.generation = p.generation and "
        "s.key = wanted.value and s.state is not null";
    t.list =
        "select p.state_version, max(p.epoch, s.epoch) as epoch, s.key, s.version, s.state, s.checksum from "
        "sluice_projection as p cross join sluice_projection_state as s where p.projection = $1 and p.status = "
        "'active' and s.projection = p.projection and s.generation = p.generation and s.key >= $2 and s.key > $3 and "
        "s.state is not null order by s.key limit $4";
    t.range =
        "select max(p.epoch, coalesce(s.epoch, 0)) as epoch, d.first_version, d.last_version, d.deltas" + active +
        " and s.key = $2 left join sluice_projection_delta as d on d.projection = p.projection and d.generation = "
        "p.generation and d.key = $2 and d.last_version > $3 and d.first_version <= $4 where p.projection = $1 and "
        "p.status = 'active' order by d.first_version";
}

Texts sqlite_texts() {
    Texts t;
    fill_generations(t);
    fill_states(t);
    fill_deltas(t);
    fill_parked(t);
    fill_reading(t);
    return t;
}

}  // namespace

const Texts& texts(db::Dialect dialect) {
    static const Texts sqlite = sqlite_texts();
    if (dialect == db::Dialect::sqlite) return sqlite;
    throw Error(ErrorKind::config, "*", "there are no projection tables for this database yet; use SQLite");
}

std::vector<std::string> sqlite_tables() {
    return {
        R"(create table sluice_projection(
  projection text not null, generation integer not null, state_version integer not null,
  status text not null check (status in ('building', 'active', 'retired')),
  epoch integer not null, epoch_given integer not null, ledger_epoch integer not null,
  began integer, base integer not null, progress text,
  created_at integer not null, updated_at integer not null,
  primary key (projection, generation)) without rowid)",
        R"(create unique index sluice_projection_active on sluice_projection(projection) where status = 'active')",
        R"(create table sluice_projection_lane(
  projection text not null, generation integer not null, lane integer not null,
  sequence integer not null, position integer not null,
  primary key (projection, generation, lane)) without rowid)",
        R"(create table sluice_projection_state(
  projection text not null, generation integer not null, key text not null,
  version integer not null, epoch integer not null default 0, state text, checksum integer not null,
  position integer not null, updated_at integer not null,
  primary key (projection, generation, key)) without rowid)",
        R"(create table sluice_projection_delta(
  projection text not null, generation integer not null, stream integer not null, position integer not null,
  key text not null, first_version integer not null, last_version integer not null,
  deltas text not null, positions text not null, undo text, at integer not null,
  primary key (projection, generation, stream, position, key)) without rowid)",
        R"(create index sluice_projection_delta_key on sluice_projection_delta(projection, generation, key, last_version))",
        R"(create table sluice_projection_parked(
  projection text not null, generation integer not null, key text not null, position integer not null,
  status text not null check (status in ('failed', 'waiting', 'skipped')),
  queue text not null, lane integer not null, sequence integer not null, message_id integer not null,
  ledger_epoch integer not null, message_key text not null, type text not null, payload text not null,
  tenant text not null, created_at integer not null, text text not null, attempts integer not null, at integer not null,
  primary key (projection, generation, key, position)) without rowid)",
        R"(create index sluice_projection_parked_failed on sluice_projection_parked(projection, generation, key)
  where status = 'failed')",
    };
}

}  // namespace sluice::projection::internal
