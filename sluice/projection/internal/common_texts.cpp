#include "sluice/projection/internal/common_texts.hpp"

#include <fmt/format.h>

namespace sluice::projection::internal {
namespace {

void fill_generations(Texts& t, const Words& words) {
    const std::string columns =
        "generation, state_version, status, epoch, epoch_given, ledger_epoch, began, base, coalesce(progress, '') as "
        "progress, " +
        words.alone + " as alone";
    t.active = "select " + columns + " from sluice_projection where projection = $1 and status = 'active'";
    t.all_generations = "select " + columns + " from sluice_projection where projection = $1 order by generation";
    t.create_generation = fmt::format(
        "insert into sluice_projection(projection, generation, state_version, status, epoch, epoch_given, "
        "ledger_epoch, began, base, created_at, updated_at) values ($1, $2, $3, $4, $5, $5, $6, $7, $8, {0}, {0})",
        words.now);
    t.raise_epoch = fmt::format(
        "update sluice_projection set epoch = $3, epoch_given = $3, ledger_epoch = $4, updated_at = {} where "
        "projection = $1 and generation = $2 and epoch = $5",
        words.now);
    t.note_ledger_epoch =
        "update sluice_projection set ledger_epoch = $3 where projection = $1 and generation = $2 and ledger_epoch < "
        "$3";
    t.give_epoch = fmt::format(
        "update sluice_projection set epoch_given = $3, updated_at = {} where projection = $1 and generation = $2 and "
        "epoch_given < $3",
        words.now);
    t.set_began = "update sluice_projection set began = $2 where projection = $1 and began is null";
    t.set_progress = fmt::format(
        "update sluice_projection set progress = $3, updated_at = {} where projection = $1 and generation = $2 and "
        "status = 'building'",
        words.now);
    t.retire = fmt::format(
        "update sluice_projection set status = 'retired', updated_at = {} where projection = $1 and generation = $2 "
        "and status = 'active'",
        words.now);
    t.abandon =
        "update sluice_projection set status = 'retired' where projection = $1 and generation = $2 and status = "
        "'building'";
    t.activate = fmt::format(
        "update sluice_projection set status = 'active', epoch = $3, epoch_given = $3, base = $4, ledger_epoch = $5, "
        "progress = null, updated_at = {} where projection = $1 and generation = $2 and status = 'building'",
        words.now);
    t.drop_generation = "delete from sluice_projection where projection = $1 and generation = $2";
    t.move_lane = fmt::format(
        "insert into sluice_projection_lane as l(projection, generation, lane, sequence, position) values ($1, $2, $3, "
        "$4, $5) on conflict(projection, generation, lane) do update set sequence = excluded.sequence, position = "
        "{}(l.position, excluded.position) where excluded.sequence > l.sequence",
        words.greatest);
    t.copy_lanes =
        "insert into sluice_projection_lane(projection, generation, lane, sequence, position) select projection, $3, "
        "lane, sequence, position from sluice_projection_lane where projection = $1 and generation = $2";
    t.drop_lanes = "delete from sluice_projection_lane where projection = $1 and generation = $2";
    t.lanes =
        "select lane, sequence, position from sluice_projection_lane where projection = $1 and generation = $2 order "
        "by lane";
}

void fill_rows(Texts& t, const Words& words) {
    t.page =
        "select \"key\", version, epoch, state, checksum, position from sluice_projection_state where projection = $1 "
        "and generation = $2 and \"key\" > $3 order by \"key\" limit $4";
    t.trim_states =
        "delete from sluice_projection_state where projection = $1 and generation = $2 and \"key\" in (select \"key\" "
        "from sluice_projection_state where projection = $1 and generation = $2 order by \"key\" limit $3)";
    t.trim_versions =
        "delete from sluice_projection_delta where projection = $1 and generation = $2 and \"key\" = $3 and "
        "last_version <= $4";
    // The inner limit comes first: a stream's rows are in order of time, so a young front ends the search.
    t.trim_age = fmt::format(
        "delete from sluice_projection_delta where projection = $1 and generation = $2 and stream = $3 and (position, "
        "\"key\") in (select position, \"key\" from (select position, \"key\", at from sluice_projection_delta where "
        "projection = $1 and generation = $2 and stream = $3 order by position, \"key\" limit $5) as oldest where at < "
        "{} - $4)",
        words.now);
    t.drop_key_deltas =
        "delete from sluice_projection_delta where projection = $1 and generation = $2 and \"key\" = $3";
    t.trim_deltas =
        "delete from sluice_projection_delta where projection = $1 and generation = $2 and (stream, position, \"key\") "
        "in (select stream, position, \"key\" from sluice_projection_delta where projection = $1 and generation = $2 "
        "order by stream, position, \"key\" limit $3)";
}

void fill_parked(Texts& t, const Words& words) {
    const std::string of = " where projection = $1 and generation = $2";
    t.parked_keys = "select distinct \"key\" from sluice_projection_parked" + of + " and status = 'failed'";
    t.park = fmt::format(
        "insert into sluice_projection_parked(projection, generation, \"key\", position, status, queue, lane, "
        "sequence, message_id, ledger_epoch, message_key, type, payload, tenant, created_at, text, attempts, at) "
        "values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 1, {}) {}",
        words.now, words.or_nothing);
    t.count_parked = "select count(*) as parked from sluice_projection_parked" + of + " and status <> 'skipped'";
    t.parked_of_key =
        "select position, status, queue, lane, sequence, message_id, ledger_epoch, message_key, type, payload, tenant, "
        "created_at, text from sluice_projection_parked" +
        of + " and \"key\" = $3 and status <> 'skipped' order by position limit $4";
    t.parked_status =
        "select f.key, f.position, f.queue, f.type, f.payload, f.text, f.attempts, f.at, (select count(*) from "
        "sluice_projection_parked as w where w.projection = $1 and w.generation = $2 and w.key = f.key and w.status = "
        "'waiting') as waiting from sluice_projection_parked as f where f.projection = $1 and f.generation = $2 and "
        "f.status = 'failed' order by f.key, f.position limit $3";
    t.unpark =
        "delete from sluice_projection_parked" + of + " and \"key\" = $3 and position <= $4 and status <> 'skipped'";
    t.mark_failed =
        fmt::format(
            "update sluice_projection_parked set status = 'failed', text = $5, attempts = attempts + 1, at = {}",
            words.now) +
        of + " and \"key\" = $3 and position = $4";
    t.mark_skipped = "update sluice_projection_parked set status = 'skipped'" + of +
                     " and \"key\" = $3 and position = $4 and status = 'failed'";
    t.skipped = "select \"key\", position from sluice_projection_parked" + of + " and status = 'skipped'";
    t.copy_skipped =
        "insert into sluice_projection_parked(projection, generation, \"key\", position, status, queue, lane, "
        "sequence, message_id, ledger_epoch, message_key, type, payload, tenant, created_at, text, attempts, at) "
        "select projection, $3, \"key\", position, status, queue, lane, sequence, message_id, ledger_epoch, "
        "message_key, type, payload, tenant, created_at, text, attempts, at from sluice_projection_parked" +
        of + " and status = 'skipped' " + words.or_nothing;
    t.last_position_of_key = "select " + words.greatest + "(coalesce((select position from sluice_projection_state" +
                             of +
                             " and \"key\" = $3), 0), coalesce((select max(position) from sluice_projection_parked" +
                             of + " and \"key\" = $3 and status <> 'skipped'), 0))";
    t.drop_parked = "delete from sluice_projection_parked" + of;
}

void fill_reading(Texts& t, const Words& words) {
    const std::string active =
        " from sluice_projection as p left join sluice_projection_state as s on s.projection = p.projection and "
        "s.generation = p.generation";
    const std::string epoch = words.greatest + "(p.epoch, coalesce(s.epoch, 0)) as epoch";
    t.read = "select p.state_version, " + epoch + ", s.version, s.state, s.checksum" + active +
             " and s.key = $2 where p.projection = $1 and p.status = 'active'";
    t.list = "select p.state_version, " + epoch +
             ", s.key, s.version, s.state, s.checksum from sluice_projection as p cross join sluice_projection_state "
             "as s where p.projection = $1 and p.status = 'active' and s.projection = p.projection and s.generation = "
             "p.generation and s.key >= $2 and s.key > $3 and s.state is not null order by s.key limit $4";
    t.range = "select " + epoch + ", d.first_version, d.last_version, d.deltas" + active +
              " and s.key = $2 left join sluice_projection_delta as d on d.projection = p.projection and d.generation "
              "= p.generation and d.key = $2 and d.last_version > $3 and d.first_version <= $4 where p.projection = $1 "
              "and p.status = 'active' order by d.first_version";
}

}  // namespace

void fill_common(Texts& t, const Words& words) {
    fill_generations(t, words);
    fill_rows(t, words);
    fill_parked(t, words);
    fill_reading(t, words);
}

}  // namespace sluice::projection::internal
