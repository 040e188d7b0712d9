// SQLite: rows' values one by one, in statements of a few sizes, so that few texts are prepared and cached.
#include <array>
#include <iterator>

#include <fmt/format.h>

#include "sluice/projection/internal/common_texts.hpp"

namespace sluice::projection::internal {
namespace {

constexpr const char* kSqliteNow = "cast(round((julianday('now') - 2440587.5) * 86400000.0) as integer)";

/// n rows take the largest that fits, again and again.
constexpr std::array<std::size_t, 5> kRowCounts = {256, 64, 16, 4, 1};

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
    for (const std::size_t rows : kRowCounts)
        made.push_back({rows, make(rows)});
    return made;
}

/// `where true`: without it `on conflict` would be read as a join.
std::string sqlite_insert_states(std::size_t rows) {
    return fmt::format(
        "insert into sluice_projection_state(projection, generation, key, version, epoch, state, checksum, position, "
        "updated_at) select $1, $2, column1, column2, column3, column4, column5, column6, {} from ({}) where true",
        kSqliteNow, value_rows(rows, 6));
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
            kSqliteNow, value_rows(rows, 8));
    });
}

/// A row that is there already belongs to somebody who also wrote the state, which is where that is noticed.
RowTexts sqlite_insert_delta() {
    return per_size([](std::size_t rows) {
        return fmt::format(
            "insert into sluice_projection_delta(projection, generation, stream, position, key, first_version, "
            "last_version, deltas, positions, undo, at) select $1, $2, column1, column2, column3, column4, column5, "
            "column6, column7, column8, {} from ({}) where true on conflict do nothing",
            kSqliteNow, value_rows(rows, 8));
    });
}

}  // namespace

Texts sqlite_texts() {
    Texts t;
    fill_common(t, {.now = kSqliteNow, .greatest = "max", .alone = "0"});
    t.load =
        "select s.key, s.version, s.epoch, s.state, s.checksum, s.position from json_each($3) as wanted cross join "
        "sluice_projection_state as s where s.projection = $1 and s.generation = $2 and s.key = wanted.value";
    t.load_alone = t.load;
    t.insert = sqlite_insert();
    t.update = sqlite_update();
    t.put = sqlite_put();
    t.insert_delta = sqlite_insert_delta();
    t.read_many =
        "select p.state_version, max(p.epoch, s.epoch) as epoch, s.key, s.version, s.state, s.checksum from "
        "sluice_projection as p cross join json_each($2) as wanted cross join sluice_projection_state as s where "
        "p.projection = $1 and p.status = 'active' and s.projection = p.projection and s.generation = p.generation and "
        "s.key = wanted.value and s.state is not null";
    return t;
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
