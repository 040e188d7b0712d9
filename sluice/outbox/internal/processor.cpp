#include "sluice/outbox/internal/processor.hpp"

#include <utility>

#include <fmt/format.h>

#include "sluice/db/error.hpp"
#include "sluice/outbox/internal/message_row.hpp"
#include "sluice/runtime/cancellation.hpp"

namespace sluice::outbox {
namespace {

Fault fault_of_kind(db::ErrorKind kind) noexcept {
    switch (kind) {
        case db::ErrorKind::connection:
        case db::ErrorKind::pool_exhausted:
        case db::ErrorKind::serialization:
        case db::ErrorKind::read_only:
            return Fault::database;
        case db::ErrorKind::outcome_unknown:
            return Fault::unknown;
        case db::ErrorKind::timeout:
            return Fault::unit;
        case db::ErrorKind::cancelled:
            return Fault::cancelled;
        default:
            return Fault::message;
    }
}

}  // namespace

Fault fault_of_error(const std::exception_ptr& error) noexcept {
    if (runtime::is_cancellation(error)) return Fault::cancelled;
    try {
        std::rethrow_exception(error);
    } catch (const db::Error& e) {
        return fault_of_kind(e.kind());
    } catch (const FenceMissed&) {
        return Fault::cursor;
    } catch (...) {
        return Fault::message;
    }
}

std::string DeliveryDeps::queue_name(std::int32_t number) const {
    const auto found = queue_names.find(number);
    return found == queue_names.end() ? fmt::format("#{}", number) : found->second;
}

db::Task<void> load_exceptions(db::Session& session, Subscription& subscription, core::SteadyTime now,
                               std::optional<std::size_t> only_lane) {
    const std::int64_t lane_from = only_lane ? static_cast<std::int64_t>(*only_lane) : 0;
    const std::int64_t lane_to = only_lane ? lane_from : static_cast<std::int64_t>(subscription.lanes.size()) - 1;
    const db::Result attempts = co_await session.query(
        "select lane, seq, attempts from sluice_attempt where subscription = $1 and lane between $2 and $3",
        subscription.plan.name, lane_from, lane_to);
    for (const db::Row& row : attempts) {
        const auto lane = static_cast<std::size_t>(row.get<std::int64_t>(0));
        RetryState state;
        state.attempts = static_cast<std::uint32_t>(row.get<std::int64_t>(2));
        state.first_failed = state.next_at = now;
        subscription.lanes.at(lane).failed(row.get<std::int64_t>(1), state);
    }
    const db::Result parked = co_await session.query(
        "select p.lane, p.key_group, p.attempts, p.held from sluice_parked p"
        " where p.subscription = $1 and p.lane between $2 and $3 and not exists (select 1 from sluice_parked q"
        " where q.subscription = p.subscription and q.lane = p.lane and q.key_group = p.key_group and q.seq < p.seq)",
        subscription.plan.name, lane_from, lane_to);
    for (const db::Row& row : parked) {
        ParkedKey key;
        key.retry.attempts = static_cast<std::uint32_t>(row.get<std::int64_t>(2));
        key.retry.first_failed = key.retry.next_at = now;
        key.held = row.get<std::int64_t>(3) != 0;
        subscription.lanes.at(static_cast<std::size_t>(row.get<std::int64_t>(0)))
            .parked()
            .put(row.get<std::string>(1), key);
    }
}

db::Task<void> reload_lane(DeliveryDeps& deps, Subscription& subscription, std::size_t lane) {
    std::unique_ptr<db::Connection> connection = co_await deps.source->acquire(db::AccessIntent::read);
    const db::Result cursor = co_await connection->query(
        "select seq, tick, epoch, owner from sluice_cursor where subscription = $1 and lane = $2",
        subscription.plan.name, static_cast<std::int64_t>(lane));
    const bool ours = !cursor.empty() && cursor.rows[0].get<std::int64_t>(2) == subscription.epoch.value();
    if (!ours) {
        subscription.metrics.cursor_losses.add();
        if (!std::exchange(subscription.lost, true)) {
            deps.log.error(
                "subscription {}: its cursor belongs to {} now; nothing more is delivered here until a restart",
                subscription.plan.name, cursor.empty() ? "nobody" : as_string(cursor.rows[0].at(3)));
        }
        co_return;
    }
    const std::int64_t number = cursor.rows[0].get<std::int64_t>(0);
    if (number != subscription.feed.lane(lane).acknowledged())
        subscription.feed.reset(lane, number, {cursor.rows[0].get<std::int64_t>(1), 0});
    subscription.lanes[lane].start_over();
    co_await load_exceptions(*connection, subscription, deps.now(), lane);
}

}  // namespace sluice::outbox
