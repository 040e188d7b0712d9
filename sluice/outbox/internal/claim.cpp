#include "sluice/outbox/internal/claim.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include <fmt/format.h>

#include "sluice/core/json.hpp"
#include "sluice/db/error.hpp"
#include "sluice/outbox/error.hpp"
#include "sluice/outbox/internal/processor.hpp"
#include "sluice/outbox/internal/sql.hpp"
#include "sluice/outbox/internal/tick_row.hpp"

namespace sluice::outbox {
namespace {

constexpr std::array kProbes = {
    "select number, name, lanes, ordering, retention_s, paused, schema_version from sluice_queue limit 1",
    "select id, queue, \"key\", type, tenant, trace, headers, payload, created_at from sluice_message limit 1",
    "select n, epoch, ticked_at, first_position, messages, refs, checkpoint from sluice_tick limit 1",
    "select name, \"reads\", queues from sluice_subscription limit 1",
    "select subscription, lane, seq, tick, owner, epoch, lease_until, lease_up_to from sluice_cursor limit 1",
    "select subscription, lane, seq, attempts from sluice_attempt limit 1",
    "select subscription, lane, key_group, seq, held from sluice_parked limit 1",
    "select id, state, claim, claim_until from sluice_dead_letter limit 1",
    "select letter, line, action from sluice_dead_letter_audit limit 1",
};

const char* ordering_text(Ordering ordering) {
    return ordering == Ordering::strict ? "strict" : "causal";
}

db::Value retention_value(const QueueSettings& settings) {
    return settings.retention ? db::Value(settings.retention->count()) : db::Value(db::null);
}

db::Task<void> declare_queue(db::UnitOfWork& unit, QueuePlan plan) {
    const std::optional<db::Row> row =
        co_await unit.query_one("select lanes, ordering, retention_s from sluice_queue where name = $1", plan.name);
    if (!row) {
        co_await unit.execute(
            sql::expand("insert into sluice_queue(number, name, lanes, ordering, retention_s)"
                        " select 1 + coalesce(max(number), 0), $1, $2, $3, cast($4 as {bigint}) from sluice_queue",
                        unit.dialect()),
            plan.name, plan.lanes.count, ordering_text(plan.settings.ordering), retention_value(plan.settings));
        co_return;
    }
    const std::int64_t lanes = row->get<std::int64_t>(0);
    if (lanes != plan.lanes.count) {
        throw Error(ErrorKind::config, unit.source(),
                    fmt::format("queue '{}' was made with {} lanes and is declared with {}; declare {}", plan.name,
                                lanes, plan.lanes.count, lanes));
    }
    // Only what differs: on MariaDB every open unit that has published holds the row shared.
    const char* const ordering = ordering_text(plan.settings.ordering);
    const db::Value retention = retention_value(plan.settings);
    if (row->get<std::string>(1) == ordering && row->at(2) == retention) co_return;
    co_await unit.execute("update sluice_queue set ordering = $1, retention_s = $2 where name = $3", ordering,
                          retention, plan.name);
}

}  // namespace

db::Task<void> check_schema(db::Session& session, std::string source) {
    std::vector<const char*> probes(kProbes.begin(), kProbes.end());
    if (session.dialect() == db::Dialect::mariadb)
        probes.insert(probes.end(), {"select id from sluice_incoming limit 1", "select one from sluice_start"});
    std::exception_ptr missing;
    for (const char* const probe : probes) {
        try {
            co_await session.execute(probe);
        } catch (const db::Error& e) {
            if (e.kind() != db::ErrorKind::query) throw;
            missing = std::current_exception();
        }
        if (missing) {
            throw Error(
                ErrorKind::config, source,
                "its tables are missing or of another version: run migrate::Runner with outbox::migrations() first",
                missing);
        }
    }
}

db::Task<void> lock_start(db::UnitOfWork& unit) {
    if (unit.dialect() == db::Dialect::postgres)
        co_await unit.execute("lock table sluice_queue in share row exclusive mode");
    if (unit.dialect() == db::Dialect::mariadb) co_await unit.query("select one from sluice_start for update");
}

db::Task<std::vector<QueueRow>> declare_queues(db::UnitOfWork& unit, const std::vector<QueuePlan>& plans) {
    co_await lock_start(unit);
    for (const QueuePlan& plan : plans)
        co_await declare_queue(unit, plan);
    const db::Result rows = co_await unit.query("select number, name, lanes from sluice_queue order by number");
    std::vector<QueueRow> queues;
    for (const db::Row& row : rows) {
        queues.push_back({static_cast<std::int32_t>(row.get<std::int64_t>(0)), row.get<std::string>(1),
                          static_cast<std::uint16_t>(row.get<std::int64_t>(2))});
    }
    co_return queues;
}

namespace {

/// A subscription on its way from plan to running.
struct Claim {
    SubscriptionPlan plan;
    std::set<std::int32_t> queues;
    std::size_t lanes = 1;
};

Claim resolve_queues(SubscriptionPlan plan, const ClaimContext& context) {
    Claim claim{std::move(plan), {}, 1};
    for (const QueueRow& queue : context.queues) {
        if (std::ranges::find(claim.plan.queues, queue.name) == claim.plan.queues.end()) continue;
        claim.queues.insert(queue.number);
        if (claim.plan.order == Order::by_lane) claim.lanes = queue.lanes;
    }
    return claim;
}

const char* reads_text(Order order) {
    return order == Order::merged ? "merged" : "by_lane";
}

/// The first place of the log that is kept.
struct Oldest {
    std::int64_t tick = 1;
    core::Position before;
    std::map<LaneRef, std::int64_t> before_lane;
};

db::Task<Oldest> find_oldest(db::UnitOfWork& unit, std::string source) {
    std::vector<db::Statement> select;
    select.push_back(select_ticks(0, 1));
    const std::vector<db::Result> results = co_await unit.run(std::move(select));
    Oldest oldest;
    if (results[0].empty()) co_return oldest;
    const Tick tick = read_tick(results[0].rows[0], source);
    oldest.tick = tick.n;
    oldest.before = core::Position(tick.first_position.value() - 1);
    if (!tick.checkpoint)
        throw Error(ErrorKind::corrupt, source,
                    fmt::format("the oldest row {} of sluice_tick has no checkpoint", tick.n));
    for (const NextSequence& entry : *tick.checkpoint)
        oldest.before_lane[entry.lane] = entry.next.value() - 1;
    co_return oldest;
}

db::Task<void> enter(db::UnitOfWork& unit, const Claim& claim, const ClaimContext& context) {
    co_await unit.execute("insert into sluice_subscription(name, \"reads\", queues) values ($1, $2, $3)",
                          claim.plan.name, reads_text(claim.plan.order), core::json::encode(claim.plan.queues));
    const Oldest oldest = co_await find_oldest(unit, context.source);
    const bool from_now = claim.plan.settings.from == From::now;
    const std::int64_t tick = from_now ? context.ledger.newest() + 1 : oldest.tick;
    for (std::size_t lane = 0; lane < claim.lanes; ++lane) {
        std::int64_t number = 0;
        if (claim.plan.order == Order::merged) {
            number = from_now ? context.ledger.head().value() : oldest.before.value();
        } else {
            const LaneRef ref{*claim.queues.begin(), core::LaneId(static_cast<std::uint16_t>(lane))};
            const auto kept = oldest.before_lane.find(ref);
            const std::int64_t before = kept == oldest.before_lane.end() ? 0 : kept->second;
            number = from_now ? context.ledger.head(ref).value() : before;
        }
        co_await unit.execute(
            "insert into sluice_cursor(subscription, lane, seq, tick, epoch) values ($1, $2, $3, $4, 0)",
            claim.plan.name, static_cast<std::int64_t>(lane), number, tick);
    }
}

db::Task<void> check_or_enter(db::UnitOfWork& unit, const Claim& claim, const ClaimContext& context) {
    const std::optional<db::Row> known =
        co_await unit.query_one("select \"reads\", queues from sluice_subscription where name = $1", claim.plan.name);
    if (!known) {
        co_await enter(unit, claim, context);
        co_return;
    }
    const std::string queues = core::json::encode(claim.plan.queues);
    if (known->get<std::string>(0) == reads_text(claim.plan.order) && known->get<std::string>(1) == queues) co_return;
    throw Error(
        ErrorKind::config, context.source,
        fmt::format("subscription '{}' was made as {} of {} and is declared as {} of {}; a subscription keeps its"
                    " queues, use another name",
                    claim.plan.name, known->get<std::string>(0), known->get<std::string>(1),
                    reads_text(claim.plan.order), queues));
}

LaneRules rules_of(const SubscriptionPlan& plan, const LaneRules& otherwise) {
    LaneRules rules = otherwise;
    if (plan.settings.batch) rules.batch = *plan.settings.batch;
    rules.by_message = plan.on_message != nullptr;
    rules.parked_keys = plan.settings.parked_keys;
    rules.retry = retry_rules(plan.settings, otherwise.retry.backoff);
    return rules;
}

/// A process ended with this lane's batch in a handler's hands. If that was one message, it may be why: a failure of it
/// is counted; else a smaller batch will tell.
db::Task<void> count_crash(db::UnitOfWork& unit, Subscription& subscription, const db::Row& cursor) {
    const std::int64_t acknowledged = cursor.get<std::int64_t>(1);
    const auto leased = cursor.get<std::optional<std::int64_t>>(4);
    if (!leased || *leased <= acknowledged) co_return;
    const auto lane = static_cast<std::size_t>(cursor.get<std::int64_t>(0));
    const std::int64_t in_flight = *leased - acknowledged;
    if (in_flight > 1) {
        const std::int64_t fewer = std::min<std::int64_t>(in_flight / 2, std::numeric_limits<std::uint32_t>::max());
        subscription.lanes.at(lane).begin_with(static_cast<std::uint32_t>(fewer));
        co_return;
    }
    co_await unit.execute(
        sql::expand("insert into sluice_attempt(subscription, lane, seq, attempts, reason) values ($1, $2, $3, 1, $4)"
                    " {on conflict subscription, lane, seq update} attempts = sluice_attempt.attempts + 1,"
                    " reason = {new reason}",
                    unit.dialect()),
        subscription.plan.name, static_cast<std::int64_t>(lane), *leased, "the process ended while it was handled");
    subscription.lanes.at(lane).begin_with(1);
}

}  // namespace

db::Task<std::unique_ptr<Subscription>> claim_subscription(db::UnitOfWork& unit, SubscriptionPlan plan,
                                                           const ClaimContext& context) {
    const Claim claim = resolve_queues(std::move(plan), context);
    co_await check_or_enter(unit, claim, context);
    // Whoever has them now may acknowledge until this unit ends.
    const char* const alone = unit.dialect() == db::Dialect::sqlite ? "" : " for update";
    const db::Result cursors = co_await unit.query(
        fmt::format("select lane, seq, tick, epoch, lease_up_to from sluice_cursor where subscription = $1"
                    " order by lane{}",
                    alone),
        claim.plan.name);
    if (cursors.size() != claim.lanes) {
        throw Error(ErrorKind::corrupt, context.source,
                    fmt::format("subscription '{}' has {} rows in sluice_cursor for {} lanes", claim.plan.name,
                                cursors.size(), claim.lanes));
    }
    auto subscription =
        std::make_unique<Subscription>(claim.plan, SubscriptionFeed(claim.plan.order, claim.queues, context.feed));
    for (const db::Row& row : cursors) {
        subscription->feed.add_lane(row.get<std::int64_t>(1), {row.get<std::int64_t>(2), 0});
        subscription->lanes.emplace_back(rules_of(claim.plan, context.rules));
        subscription->epoch = std::max(subscription->epoch, core::Epoch(row.get<std::int64_t>(3) + 1));
    }
    co_await unit.execute(
        "update sluice_cursor set owner = $1, epoch = $2, lease_until = null, lease_up_to = null where subscription = "
        "$3",
        context.owner, subscription->epoch.value(), claim.plan.name);
    for (const db::Row& row : cursors)
        co_await count_crash(unit, *subscription, row);
    subscription->feed.starts_at(context.ledger);
    co_await load_exceptions(unit, *subscription, context.now, std::nullopt);
    co_return subscription;
}

}  // namespace sluice::outbox
