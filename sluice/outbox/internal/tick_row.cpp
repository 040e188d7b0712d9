#include "sluice/outbox/internal/tick_row.hpp"

#include <fmt/format.h>

#include "sluice/outbox/error.hpp"
#include "sluice/outbox/internal/message_row.hpp"
#include "sluice/outbox/internal/tick_codec.hpp"

namespace sluice::outbox {
namespace {

[[noreturn]] void fail(std::string_view source, std::int64_t n, const std::string& what) {
    throw Error(ErrorKind::corrupt, source, fmt::format("row {} of sluice_tick: {}", n, what));
}

}  // namespace

Tick read_tick(const db::Row& row, std::string_view source) {
    Tick tick;
    tick.n = row.get<std::int64_t>(0);
    tick.epoch = core::Epoch(row.get<std::int64_t>(1));
    tick.time = core::SystemTime(std::chrono::microseconds(row.get<std::int64_t>(2)));
    tick.first_position = core::Position(row.get<std::int64_t>(3));
    tick.lowest_id = row.get<std::int64_t>(4);
    tick.highest_id = row.get<std::int64_t>(5);
    tick.map_version = static_cast<std::int32_t>(row.get<std::int64_t>(6));
    auto runs = decode_runs(as_string(row.at(7)), tick.lowest_id);
    if (!runs) fail(source, tick.n, runs.error());
    tick.runs = std::move(*runs);
    if (!row.at(8).is_null()) {
        auto checkpoint = decode_checkpoint(as_string(row.at(8)));
        if (!checkpoint) fail(source, tick.n, checkpoint.error());
        tick.checkpoint = std::move(*checkpoint);
    }
    if (!row.at(9).is_null()) {
        tick.diff = TickDiff{row.get<std::string>(9), row.get<std::optional<std::int64_t>>(10),
                             row.get<std::optional<std::string>>(11).value_or(""),
                             row.get<std::optional<std::int64_t>>(12).value_or(0)};
    }
    return tick;
}

db::Statement insert_tick(const Tick& tick) {
    const db::Value checkpoint =
        tick.checkpoint ? db::Value(db::to_bytes(encode_checkpoint(*tick.checkpoint))) : db::Value(db::null);
    db::Statement insert = db::statement(
        "insert into sluice_tick(n, epoch, ticked_at, first_position, messages, lowest_id, highest_id, map_version, "
        "refs,"
        " checkpoint) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        tick.n, tick.epoch.value(), tick.time.time_since_epoch().count(), tick.first_position.value(), tick.count(),
        tick.lowest_id, tick.highest_id, tick.map_version, db::to_bytes(encode_runs(tick.runs, tick.lowest_id)),
        checkpoint);
    if (!tick.diff) return insert;
    insert.sql =
        "insert into sluice_tick(n, epoch, ticked_at, first_position, messages, lowest_id, highest_id, map_version, "
        "refs, checkpoint, snapshot, cut, identity, last_value)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
    insert.values.emplace_back(tick.diff->snapshot);
    insert.values.emplace_back(tick.diff->cut ? db::Value(*tick.diff->cut) : db::Value(db::null));
    insert.values.emplace_back(tick.diff->identity);
    insert.values.emplace_back(tick.diff->last_value);
    return insert;
}

db::Statement select_checkpoint() {
    // Every 1,000th row has one, so the primary key finds it within as many rows from the end.
    return db::statement(
        fmt::format("select {} from sluice_tick where checkpoint is not null order by n desc limit 1", kTickColumns));
}

db::Statement select_ticks(std::int64_t from, std::int64_t limit) {
    return db::statement(fmt::format("select {} from sluice_tick where n >= $1 order by n limit $2", kTickColumns),
                         from, limit);
}

}  // namespace sluice::outbox
