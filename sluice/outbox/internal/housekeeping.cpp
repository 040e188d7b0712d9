#include "sluice/outbox/internal/housekeeping.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "sluice/core/json.hpp"
#include "sluice/core/mutant.hpp"
#include "sluice/outbox/error.hpp"
#include "sluice/outbox/internal/sql.hpp"
#include "sluice/outbox/internal/tick_codec.hpp"
#include "sluice/outbox/internal/tick_row.hpp"
#include "sluice/outbox/mariadb/internal/incoming.hpp"
#include "sluice/outbox/postgres/internal/removal.hpp"

namespace sluice::outbox {
namespace {

using std::chrono::duration;

/// Whether memory says where its cursors stand. What a merged subscription passes over is stored later (`catch_up`),
/// and a start needs every tick behind the stored cursor.
bool trusted(const Subscription& subscription) {
    return subscription.plan.order == Order::by_lane || core::mutant("outbox_retention_trusts_memory");
}

/// Messages whose tick is gone: how to find whether there are any, and to delete some.
struct RemovedRows {
    const char* find;
    const char* remove;
};

const RemovedRows& removed_rows(db::Dialect dialect) {
    static constexpr RemovedRows by_id = {
        "select 1 from sluice_message where id < (select lowest_id from sluice_tick order by n limit 1) limit 1",
        "delete from sluice_message where id in (select id from sluice_message"
        " where id < (select lowest_id from sluice_tick order by n limit 1) order by id limit $1)"};
    static constexpr RemovedRows by_transaction = {
        "select 1 from sluice_message"
        " where xid < (select pg_snapshot_xmax(removed_in) from sluice_tick order by n limit 1)"
        " and pg_visible_in_snapshot(xid, (select removed_in from sluice_tick order by n limit 1)) limit 1",
        "delete from sluice_message where ctid = any(array(select ctid from sluice_message"
        " where xid < (select pg_snapshot_xmax(removed_in) from sluice_tick order by n limit 1)"
        " and pg_visible_in_snapshot(xid, (select removed_in from sluice_tick order by n limit 1))"
        " order by xid, id limit $1))"};
    return dialect == db::Dialect::postgres ? by_transaction : by_id;
}

/// Where a tick's messages can be found by nothing but the tick, they go in the same unit. Elsewhere later: there a
/// message whose tick is gone can be told from one that has none yet.
bool removes_together(db::Dialect dialect) {
    return dialect == db::Dialect::mariadb;
}

/// How many of the oldest ticks have at most `most` messages together; at least one.
std::size_t ticks_within(const db::Result& rows, std::uint32_t most) {
    std::int64_t messages = 0;
    std::size_t count = 0;
    for (const db::Row& row : rows) {
        messages += row.get<std::int64_t>(2);
        if (messages > most) break;
        ++count;
    }
    return std::max<std::size_t>(count, 1);
}

core::SystemTime system_time(std::int64_t micros) {
    return core::SystemTime(std::chrono::microseconds(micros));
}

}  // namespace

Housekeeping::Housekeeping(DeliveryDeps& deps, const Subscriptions& subscriptions, const Ledger& ledger,
                           const std::vector<QueueRow>& queues)
    : deps_(deps), subscriptions_(subscriptions), ledger_(ledger), queues_(queues) {}

db::Task<runtime::Directive> Housekeeping::retain(std::uint32_t chunk) {
    for (const auto& subscription : subscriptions_)
        subscription->catch_up = true;
    Removed removed = co_await remove_ticks(chunk);
    removed.messages += co_await remove_messages(chunk);
    if (removed.ticks + removed.messages == 0) co_return runtime::Directive::idle();
    co_return runtime::Directive::proceed(removed.messages);
}

/// Nothing is removed while one queue is kept for ever: the log is shared, so the longest retention decides.
db::Task<std::optional<core::SystemTime>> Housekeeping::cutoff(db::Session& session) {
    const db::Result row = co_await session.query(sql::expand(
        "select {now}, max(retention_s), count(*) - count(retention_s) from sluice_queue", deps_.source->dialect()));
    std::optional<core::SystemTime> time;
    const auto longest = row.rows[0].get<std::optional<std::int64_t>>(1);
    if (longest && row.rows[0].get<std::int64_t>(2) == 0)
        time = system_time(row.rows[0].get<std::int64_t>(0)) - std::chrono::seconds(*longest);
    co_return time;
}

db::Task<Housekeeping::Removed> Housekeeping::remove_ticks(std::uint32_t chunk) {
    std::unique_ptr<db::Connection> connection = co_await deps_.source->acquire(db::AccessIntent::read);
    const std::optional<core::SystemTime> oldest_wanted = co_await cutoff(*connection);
    if (!oldest_wanted) co_return Removed();
    const std::vector<CursorFront> all = co_await fronts(*connection);
    const std::int64_t passed = passed_by_all(all, ledger_.newest());
    const db::Result rows = co_await connection->query(
        "select n, ticked_at, messages from sluice_tick where n <= $1 and n < (select n from sluice_tick where cut is "
        "null"
        " order by n desc limit 1) order by n limit $2",
        passed, chunk);
    std::vector<TickAge> oldest;
    for (const db::Row& row : rows)
        oldest.push_back({row.get<std::int64_t>(0), system_time(row.get<std::int64_t>(1))});
    std::size_t count = removable(oldest, passed, *oldest_wanted);
    if (removes_together(deps_.source->dialect())) count = std::min(count, ticks_within(rows, chunk));
    if (count == 0) co_return Removed();
    const std::int64_t last = oldest[count - 1].n;
    const std::optional<Kept> kept = co_await kept_after(*connection, oldest.front().n, last);
    connection.reset();
    if (!kept) co_return Removed();
    const auto body = [this, last, &kept](db::UnitOfWork& unit) { return trim(unit, last + 1, *kept); };
    co_await deps_.source->transaction({}, body);
    co_return Removed{count, kept->messages.size()};
}

/// What is to be known of the ticks up to `last`; nothing if somebody removed rows meanwhile.
db::Task<std::optional<Housekeeping::Kept>> Housekeeping::kept_after(db::Session& session, std::int64_t first,
                                                                     std::int64_t last) {
    Kept kept;
    Ledger replayed(id_order(session.dialect()));
    std::vector<db::Statement> select;
    select.push_back(select_ticks(first, last - first + 1));
    const std::vector<db::Result> results = co_await session.run(std::move(select));
    for (const db::Row& row : results[0]) {
        const Tick tick = read_tick(row, deps_.source->name());
        if (!replayed.apply(tick)) co_return std::nullopt;
        if (removes_together(session.dialect())) {
            for (const LaneRun& run : tick.runs)
                kept.messages.insert(kept.messages.end(), run.ids.begin(), run.ids.end());
        }
        if (tick.diff && !tick.diff->cut && postgres::sees_any(tick.diff->snapshot))
            kept.removed_in = tick.diff->snapshot;
    }
    if (replayed.newest() != last) co_return std::nullopt;
    kept.state = replayed.checkpoint();
    co_return kept;
}

/// The oldest row kept carries what a start begins with.
db::Task<void> Housekeeping::trim(db::UnitOfWork& unit, std::int64_t first_kept, const Kept& kept) {
    if (unit.dialect() == db::Dialect::postgres) co_await unit.run(postgres::mark_removed(first_kept, kept.removed_in));
    const std::uint64_t marked = co_await unit.execute("update sluice_tick set checkpoint = $1 where n = $2",
                                                       db::to_bytes(encode_checkpoint(kept.state)), first_kept);
    if (marked != 1)
        throw Error(ErrorKind::corrupt, deps_.source->name(), fmt::format("sluice_tick lacks row {}", first_kept));
    co_await unit.execute("delete from sluice_tick where n < $1", first_kept);
    if (kept.messages.empty()) co_return;
    std::vector<db::Statement> remove;
    remove.push_back(mariadb::delete_messages(kept.messages));
    co_await unit.run(std::move(remove));
}

/// Messages below the oldest tick: also what a process that was killed between the two steps has left.
db::Task<std::uint64_t> Housekeeping::remove_messages(std::uint32_t chunk) {
    if (removes_together(deps_.source->dialect())) co_return 0;
    const RemovedRows& removed = removed_rows(deps_.source->dialect());
    const auto body = [chunk, &removed](db::UnitOfWork& unit) { return unit.execute(removed.remove, chunk); };
    std::unique_ptr<db::Connection> connection = co_await deps_.source->acquire(db::AccessIntent::read);
    const db::Result rows = co_await connection->query(removed.find);
    connection.reset();
    if (rows.empty()) co_return 0;
    co_return co_await deps_.source->transaction({}, body);
}

db::Task<std::vector<CursorFront>> Housekeeping::fronts(db::Session& session) {
    std::vector<CursorFront> all;
    add_own_fronts(all);
    const db::Result rows = co_await session.query(
        "select s.name, s.\"reads\", s.queues, c.lane, c.seq, c.tick from sluice_subscription s"
        " join sluice_cursor c on c.subscription = s.name");
    for (const db::Row& row : rows) {
        const std::string name = row.get<std::string>(0);
        const bool ours = std::ranges::any_of(
            subscriptions_, [&](const auto& one) { return one->plan.name == name && trusted(*one) && !one->lost; });
        if (ours) continue;
        CursorFront front;
        front.acknowledged = row.get<std::int64_t>(4);
        front.head = head_of(row.get<std::string>(1), row.get<std::string>(2), row.get<std::int64_t>(3));
        front.tick = row.get<std::int64_t>(5);
        all.push_back(front);
    }
    co_return all;
}

void Housekeeping::add_own_fronts(std::vector<CursorFront>& fronts) const {
    for (const auto& subscription : subscriptions_) {
        if (subscription->lost || !trusted(*subscription)) continue;
        for (std::size_t i = 0; i < subscription->feed.lanes(); ++i) {
            const LaneBuffer& lane = subscription->feed.lane(i);
            fronts.push_back({lane.acknowledged(), lane.head(), lane.front_tick()});
        }
    }
}

/// The head of a lane of a subscription that runs elsewhere, or nowhere.
std::int64_t Housekeeping::head_of(const std::string& reads, const std::string& queues, std::int64_t lane) const {
    if (reads == "merged") return ledger_.head().value();
    const auto names = core::json::decode<std::vector<std::string>>(queues);
    for (const QueueRow& queue : queues_) {
        if (names && !names->empty() && queue.name == names->front())
            return ledger_.head(LaneRef{queue.number, core::LaneId(static_cast<std::uint16_t>(lane))}).value();
    }
    return ledger_.head().value();  // an unknown queue: whatever it has is kept
}

db::Task<runtime::Directive> Housekeeping::reconcile() {
    for (std::size_t i = 0; i < subscriptions_.size(); ++i) {
        Subscription& subscription = *subscriptions_[i];
        if (subscription.lost) continue;
        std::unique_ptr<db::Connection> connection = co_await deps_.source->acquire(db::AccessIntent::read);
        const db::Result foreign =
            co_await connection->query("select lane from sluice_cursor where subscription = $1 and epoch <> $2 limit 1",
                                       subscription.plan.name, subscription.epoch.value());
        connection.reset();
        if (foreign.empty()) continue;
        co_await reload_lane(deps_, subscription, static_cast<std::size_t>(foreign.rows[0].get<std::int64_t>(0)));
    }
    co_return runtime::Directive::idle();
}

void Housekeeping::update_gauges() {
    const core::SystemTime now = deps_.shard.clock().system_now();
    for (const auto& subscription : subscriptions_) {
        std::int64_t backlog = 0;
        double oldest = 0;
        std::size_t parked = 0;
        for (std::size_t i = 0; i < subscription->feed.lanes(); ++i) {
            const LaneBuffer& lane = subscription->feed.lane(i);
            if (lane.size() > 0 || lane.lagging()) backlog += lane.head() - lane.acknowledged();
            if (lane.size() > 0) {
                const auto age = now - lane.at(0).logged.message->created_at;
                oldest = std::max(oldest, duration<double>(age).count());
            }
            parked += subscription->lanes[i].parked().size();
        }
        subscription->metrics.backlog.set(static_cast<double>(backlog));
        subscription->metrics.oldest_age.set(oldest);
        subscription->metrics.parked_keys.set(static_cast<double>(parked));
    }
}

SubscriptionMetrics make_metrics(core::Metrics& metrics, const std::string& source, const std::string& subscription) {
    const core::Labels labels{{"source", source}, {"subscription", subscription}};
    const auto counter = [&](const char* name, const char* help) { return metrics.counter(name, help, labels); };
    const auto gauge = [&](const char* name, const char* help) { return metrics.gauge(name, help, labels); };
    SubscriptionMetrics made;
    made.delivered = counter("sluice_outbox_delivered_total", "Messages that a handler is done with");
    made.retried = counter("sluice_outbox_retried_total", "Failed tries that will be repeated");
    made.dead_lettered = counter("sluice_outbox_dead_lettered_total", "Messages given up");
    made.parked = counter("sluice_outbox_parked_total", "Keys set aside");
    made.cursor_losses = counter("sluice_outbox_lease_losses_total", "Cursors found in another owner's hands");
    made.batch_messages = metrics.histogram("sluice_outbox_batch_messages", "Messages per committed batch", labels,
                                            {1, 3, 10, 30, 100, 300, 1'000, 3'000, 10'000});
    made.commit_to_delivered = metrics.histogram("sluice_outbox_commit_to_delivered_seconds",
                                                 "From writing a message to the commit of its handling", labels);
    made.handler = metrics.histogram("sluice_outbox_handler_seconds", "Time in handlers, per call", labels);
    made.backlog = gauge("sluice_outbox_backlog_messages", "Messages numbered and not yet passed");
    made.oldest_age = gauge("sluice_outbox_oldest_age_seconds", "Age of the oldest message that waits in memory");
    made.parked_keys = gauge("sluice_outbox_parked_keys", "Keys that are set aside");
    return made;
}

}  // namespace sluice::outbox
