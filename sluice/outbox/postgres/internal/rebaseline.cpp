#include "sluice/outbox/postgres/internal/rebaseline.hpp"

#include <algorithm>
#include <vector>

#include "sluice/outbox/error.hpp"
#include "sluice/outbox/internal/message_row.hpp"
#include "sluice/outbox/internal/new_rows.hpp"
#include "sluice/outbox/internal/tick_row.hpp"
#include "sluice/outbox/postgres/internal/diff_queries.hpp"

namespace sluice::outbox::postgres {
namespace {

constexpr std::int64_t kTicksAtOnce = 256;
constexpr std::int64_t kRowsAtOnce = 10'000;

/// The ids that the ledger names, rising.
db::Task<std::vector<std::int64_t>> named_ids(db::UnitOfWork& unit) {
    std::vector<std::int64_t> ids;
    std::int64_t from = 0;
    for (;;) {
        std::vector<db::Statement> select;
        select.push_back(select_ticks(from, kTicksAtOnce));
        const std::vector<db::Result> results = co_await unit.run(std::move(select));
        for (const db::Row& row : results[0]) {
            const Tick tick = read_tick(row, unit.source());
            for (const LaneRun& run : tick.runs)
                ids.insert(ids.end(), run.ids.begin(), run.ids.end());
            from = tick.n + 1;
        }
        if (static_cast<std::int64_t>(results[0].size()) < kTicksAtOnce) break;
    }
    std::ranges::sort(ids);
    co_return ids;
}

struct Unnamed {
    std::int64_t id = 0;
    std::int32_t queue = 0;
    std::string key;
};

/// Rows that no tick names, by id.
db::Task<std::vector<Unnamed>> unnamed_rows(db::UnitOfWork& unit, const std::vector<std::int64_t>& named) {
    std::vector<Unnamed> found;
    std::string xid = "0";
    std::int64_t id = 0;
    for (;;) {
        const db::Result rows = co_await unit.query(
            "select xid::text, id, queue, key from sluice_message where (xid, id) > ($1::xid8, $2)"
            " order by xid, id limit $3",
            xid, id, kRowsAtOnce);
        for (const db::Row& row : rows) {
            xid = row.get<std::string>(0);
            id = row.get<std::int64_t>(1);
            if (!std::ranges::binary_search(named, id))
                found.push_back({id, queue_number(row.at(2)), as_string(row.at(3))});
        }
        if (static_cast<std::int64_t>(rows.size()) < kRowsAtOnce) break;
    }
    std::ranges::sort(found, {}, &Unnamed::id);
    co_return found;
}

Snapshot behind_unit(const db::Row& row, std::string_view source) {
    const auto seen = Snapshot::parse(row.get<std::string>(0));
    if (!seen) throw Error(ErrorKind::corrupt, source, "pg_current_snapshot() cannot be read");
    return including(*seen, row.get<std::int64_t>(1));
}

}  // namespace

db::Task<void> rebaseline(db::UnitOfWork& unit, Ledger ledger, std::map<std::int32_t, std::string> queue_names,
                          core::SystemTime now) {
    co_await unit.execute("lock table sluice_message, sluice_tick in exclusive mode");
    // What retention had not got to: no tick names it any more, and it was delivered.
    co_await unit.execute(
        "delete from sluice_message where pg_visible_in_snapshot(xid,"
        " (select removed_in from sluice_tick order by n limit 1))");
    const std::vector<std::int64_t> named = co_await named_ids(unit);
    const std::vector<Unnamed> unnamed = co_await unnamed_rows(unit, named);
    co_await unit.execute("update sluice_message set xid = pg_current_xact_id()");
    // Nothing is known any more of which transactions the older ticks saw.
    co_await unit.execute("update sluice_tick set snapshot = '0:0:', cut = null, removed_in = null");
    std::vector<db::Statement> select;
    select.push_back(db::statement("select pg_current_snapshot()::text, pg_current_xact_id()::text::bigint"));
    select.push_back(select_facts());
    const std::vector<db::Result> results = co_await unit.run(std::move(select));
    const std::string snapshot = behind_unit(results[0].rows.at(0), unit.source()).text();
    const Facts facts = read_facts(results[1].rows.at(0));
    if (unnamed.empty()) {
        // Of this server, but of none of its timelines: the next tick sees another identity and raises the epoch.
        const std::string identity = std::string(server_of(facts.identity)) + "/restored";
        co_await unit.execute("update sluice_tick set snapshot = $1, identity = $2 where n = $3", snapshot, identity,
                              ledger.newest());
        co_return;
    }
    NewRows rows;
    for (const Unnamed& row : unnamed) {
        rows.ids.push_back(row.id);
        rows.queues.push_back(row.queue);
        rows.keys.push_back(row.key);
    }
    ledger.raise_epoch(now);
    std::vector<db::Statement> writes = bury_undeclared(rows, ledger);
    Tick tick = number_rows(rows, ledger, queue_names, now).tick;
    tick.diff = TickDiff{snapshot, std::nullopt, facts.identity, facts.last_value};
    writes.push_back(insert_tick(tick));
    co_await unit.run(std::move(writes));
}

}  // namespace sluice::outbox::postgres
