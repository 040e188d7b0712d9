#include "sluice/outbox/postgres/internal/diff_queries.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "sluice/outbox/internal/message_row.hpp"
#include "sluice/outbox/internal/sql.hpp"

namespace sluice::outbox::postgres {
namespace {

/// xid8 takes no number: text, in a parameter and in an array of them.
std::string xid_text(std::int64_t xid) {
    return fmt::format("{}", xid);
}

std::vector<std::string> running_texts(const Snapshot& snapshot) {
    std::vector<std::string> texts;
    for (const std::int64_t xid : snapshot.running)
        texts.push_back(xid_text(xid));
    return texts;
}

/// `columns` of the rows of a diff; the parameters $1 to $4 are `bind_diff`'s. Two branches, because an OR of them
/// would not use the key.
std::string diff_text(std::string_view columns, bool has_target) {
    const std::string_view seen = has_target ? " and pg_visible_in_snapshot(xid, $4::pg_snapshot)" : "";
    const std::string_view bounded = has_target ? " and xid < pg_snapshot_xmax($4::pg_snapshot)" : "";
    return fmt::format(
        "select {0} from sluice_message where xid >= $1::xid8{2} and id > $3{1}"
        " union all select {0} from sluice_message where xid = any(($2::text[])::xid8[]) and id > $3{1}",
        columns, seen, bounded);
}

db::Statement bind_diff(const Diff& diff, std::string text) {
    db::Statement select =
        db::statement(std::move(text), xid_text(diff.base.xmax), running_texts(diff.base), diff.after);
    if (diff.target) select.values.emplace_back(diff.target->text());
    return select;
}

/// Rows of `from` (a query of whole messages) with their payloads until the bytes of $`bytes` are there, in the order
/// of the column `place`.
std::string sized(std::string_view from, std::string_view place, std::size_t bytes) {
    constexpr std::string_view kBeforePayload = "id, queue, key, type, tenant, trace, headers";
    return fmt::format(
        "select {0}, case when fits then payload end as payload, created_at, xid::text::bigint as xid, fits from"
        " (select *, sum(octet_length(payload)) over (order by {2}) - octet_length(payload) < ${3} as fits from ({1})"
        " as found) as measured order by {2}",
        kBeforePayload, from, place, bytes);
}

}  // namespace

db::Statement plan_by_key() {
    return db::statement(
        "select set_config('jit', 'off', true), set_config('enable_seqscan', 'off', true),"
        " set_config('enable_bitmapscan', 'off', true)");
}

db::Statement select_newest() {
    return db::statement("select coalesce((select n from sluice_tick order by n desc limit 1), 0)");
}

db::Statement select_base() {
    return db::statement("select snapshot from sluice_tick where cut is null order by n desc limit 1");
}

db::Statement select_base_before(std::int64_t n) {
    return db::statement("select snapshot from sluice_tick where cut is null and n < $1 order by n desc limit 1", n);
}

db::Statement select_facts() {
    return db::statement(
        "select pg_current_snapshot()::text, (select last_value from sluice_message_id),"
        " (select system_identifier from pg_control_system())::text || '/' ||"
        " (select oid from pg_database where datname = current_database())::text || '/' ||"
        " left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)");
}

std::string_view server_of(std::string_view identity) {
    return identity.substr(0, identity.rfind('/'));
}

Facts read_facts(const db::Row& row) {
    return {row.get<std::string>(0), row.get<std::string>(2), row.get<std::int64_t>(1)};
}

db::Statement select_rows(const Diff& diff, std::int64_t limit, std::int64_t bytes) {
    const std::size_t first = diff.target ? 5 : 4;
    const std::string found =
        fmt::format("select * from ({}) as diff order by id limit ${}", diff_text("*", diff.target.has_value()), first);
    db::Statement select = bind_diff(diff, sized(found, "id", first + 1));
    select.values.emplace_back(limit);
    select.values.emplace_back(bytes);
    return select;
}

db::Statement select_references(const Diff& diff, std::int64_t limit) {
    const bool has_target = diff.target.has_value();
    db::Statement select =
        bind_diff(diff, fmt::format("select id, xid::text::bigint from ({}) as diff order by id limit ${}",
                                    diff_text("id, xid", has_target), has_target ? 5 : 4));
    select.values.emplace_back(limit);
    return select;
}

std::vector<RowRef> read_references(const db::Result& rows) {
    std::vector<RowRef> references;
    references.reserve(rows.size());
    for (const db::Row& row : rows)
        references.push_back({row.get<std::int64_t>(1), row.get<std::int64_t>(0)});
    return references;
}

db::Statement select_referenced(std::span<const RowRef> references, std::int64_t bytes) {
    std::vector<std::string> xids;
    std::vector<std::int64_t> ids;
    for (const RowRef& reference : references) {
        xids.push_back(xid_text(reference.xid));
        ids.push_back(reference.id);
    }
    constexpr const char* kFound =
        "select m.* from unnest(($1::text[])::xid8[], $2::bigint[]) as wanted(xid, id)"
        " join sluice_message m on m.xid = wanted.xid and m.id = wanted.id";
    return db::statement(sized(kFound, "id", 3), std::move(xids), std::move(ids), bytes);
}

NewRows read_rows(const db::Result& rows, std::size_t most) {
    NewRows read;
    const std::size_t count = std::min(rows.size(), most);
    bool fits = true;
    for (std::size_t i = 0; i < count; ++i) {
        const db::Row& row = rows.rows[i];
        fits = fits && row.get<bool>(kFitsColumn);
        read.ids.push_back(row.get<std::int64_t>(0));
        read.queues.push_back(queue_number(row.at(1)));
        read.keys.push_back(as_string(row.at(2)));
        read.xids.push_back(row.get<std::int64_t>(kXidColumn));
        if (!fits) continue;
        Content content = read_content(row, 0);
        content.message.xid = read.xids.back();
        read.contents.push_back(std::move(content.message));
    }
    read.more = rows.size() > most;
    return read;
}

Diff diff_between(const db::Result& base, const Tick& last) {
    Diff diff;
    if (!base.empty()) diff.base = Snapshot::parse(base.rows[0].get<std::string>(0)).value_or(Snapshot{});
    if (last.diff) diff.target = Snapshot::parse(last.diff->snapshot);
    if (diff.target && diff.target->xmax <= diff.base.xmin) diff.target.reset();
    if (diff.target && diff.target->xmax == 0) diff.target.reset();
    return diff;
}

db::Statement select_log(const Diff& diff, std::vector<std::int64_t> ids, std::int64_t bytes) {
    const bool has_target = diff.target.has_value();
    const std::size_t first = has_target ? 5 : 4;
    const std::string found = fmt::format(
        "select diff.*, wanted.place from unnest(${}::bigint[]) with ordinality as wanted(id, place)"
        " join ({}) as diff on diff.id = wanted.id",
        first, diff_text("*", has_target));
    db::Statement select = bind_diff(diff, sized(found, "place", first + 1));
    select.values.emplace_back(std::move(ids));
    select.values.emplace_back(bytes);
    return select;
}

}  // namespace sluice::outbox::postgres
