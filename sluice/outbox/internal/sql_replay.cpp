// Giving letters and parked keys back to delivery.
#include <algorithm>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "sluice/core/json.hpp"
#include "sluice/core/mutant.hpp"
#include "sluice/core/unique_id.hpp"
#include "sluice/outbox/error.hpp"
#include "sluice/outbox/internal/append.hpp"
#include "sluice/outbox/internal/letter_row.hpp"
#include "sluice/outbox/internal/limits.hpp"
#include "sluice/outbox/internal/message_row.hpp"
#include "sluice/outbox/internal/settlement.hpp"
#include "sluice/outbox/internal/sql.hpp"
#include "sluice/outbox/internal/sql_dead_letters.hpp"

namespace sluice::outbox {
namespace {

/// Letters whose payloads are in memory together.
constexpr std::size_t kLettersAtOnce = 100;
constexpr std::uint32_t kMostKeys = 10'000;

/// `headers` with those that steer a replayed message to its subscription and back to its letter.
Headers steering(Headers headers, const DeadLetter& letter, const std::string& claim) {
    std::erase_if(headers, [](const auto& header) { return header.first.starts_with(kOwnHeaderPrefix); });
    if (letter.subscription.empty()) return headers;
    headers[std::string(kOnlyHeader)] = letter.subscription;
    headers[std::string(kLetterHeader)] = fmt::format("{}", letter.id);
    headers[std::string(kClaimHeader)] = claim;
    return headers;
}

Outgoing outgoing_of(const DeadLetter& letter, const std::string& claim) {
    Outgoing message;
    message.queue = letter.message.queue;
    message.key = letter.message.key;
    message.type = letter.message.type;
    message.payload = letter.message.payload;
    message.tenant = letter.message.tenant;
    message.trace = letter.message.trace;
    message.headers = steering(letter.message.headers, letter, claim);
    return message;
}

db::Statement begin_replay(std::int64_t id, const std::string& claim) {
    return db::statement(
        "update sluice_dead_letter set state = 'reprocessing', claim = $1, claim_until = null where id = $2", claim,
        id);
}

/// No subscription failed: with its publishing the letter is done.
db::Statement resolve_unseen(std::int64_t id, db::Dialect dialect) {
    return db::statement(
        sql::expand("update sluice_dead_letter set state = 'resolved', completed_at = {now}, claim = null,"
                    " claim_until = null where id = $1",
                    dialect),
        id);
}

/// The letter as the first message of its key that waits apart.
db::Statement park_letter(const DeadLetter& letter, const std::string& group, const std::string& claim) {
    return db::statement(
        "insert into sluice_parked(subscription, lane, key_group, seq, lane_of_message, sequence, position,"
        " ledger_epoch, attempts, reason, held, message, queue, \"key\", type, tenant, trace, headers, payload,"
        " created_at) select subscription, lane, $1, seq, lane_of_message, sequence, position, ledger_epoch, 0,"
        " reason, 0, message, queue, \"key\", type, tenant, trace, $2, payload, created_at"
        " from sluice_dead_letter where id = $3",
        group, core::json::encode(steering(letter.message.headers, letter, claim)), letter.id);
}

}  // namespace

db::Task<LetterReport> SqlDeadLetters::replay(DeadLetterFilter filter, LetterOptions options, ReplayPlace place) {
    Change change;
    change.which = [this](SqlText& sql) {
        add_claimable(sql, dialect());
        std::vector<std::int32_t> known;
        for (const auto& [number, name] : deps_.queue_names)
            known.push_back(number);
        sql.add(fmt::format(" and queue in ({})", fmt::join(known, ", ")));
    };
    change.filter = std::move(filter);
    change.options = std::move(options);
    check_change(change);
    const Replay replay{place, core::unique_id(), change.options.actor};
    std::vector<Parked> parked;
    const auto body = [this, &change, &replay, &parked](db::UnitOfWork& unit) {
        return replay_in(unit, change, replay, parked);
    };
    LetterReport report;
    std::exception_ptr error;
    try {
        db::TransactionOptions once_more;
        once_more.retry_serialization = 2;
        report = co_await deps_.source->transaction(once_more, body);
    } catch (...) {
        error = std::current_exception();
    }
    tell(parked, News::written);  // after a failure too: a run finds out what is there
    if (error) std::rethrow_exception(error);
    deps_.source->news()->raise();
    co_return report;
}

db::Task<LetterReport> SqlDeadLetters::replay_in(db::UnitOfWork& unit, const Change& change, const Replay& replay,
                                                 std::vector<Parked>& parked) {
    LetterReport report;
    parked.clear();  // of a try before
    report.ids = co_await choose(unit, change);
    if (report.ids.empty() || change.options.dry_run) co_return report;
    report.claim = replay.claim;
    const std::span<const std::int64_t> all(report.ids);
    for (std::size_t at = 0; at < all.size(); at += kLettersAtOnce) {
        const auto some = all.subspan(at, std::min(kLettersAtOnce, all.size() - at));
        const db::Result rows =
            co_await unit.query(fmt::format("{} and id in ({}) order by id", letter_columns(), fmt::join(some, ", ")));
        std::vector<db::Statement> statements;
        for (const db::Row& row : rows)
            replay_one(row, replay, parked, statements);
        co_await unit.run(std::move(statements));
    }
    if (!core::mutant("outbox_replay_told_late")) tell(parked, News::announced);
    co_return report;
}

void SqlDeadLetters::replay_one(const db::Row& row, const Replay& replay, std::vector<Parked>& parked,
                                std::vector<db::Statement>& into) const {
    const DeadLetter letter = read_letter(deps_, row);
    const bool in_order = replay.place == ReplayPlace::in_order && !letter.subscription.empty();
    if (in_order) {
        const std::string group = key_group(queue_number(row.at(1)), letter.message.key, row.get<std::int64_t>("seq"));
        into.push_back(park_letter(letter, group, replay.claim));
        parked.push_back({letter.subscription, static_cast<std::size_t>(row.get<std::int64_t>("lane")), group});
    } else {
        into.push_back(append_one(outgoing_of(letter, replay.claim), dialect()));
    }
    into.push_back(letter.subscription.empty() ? resolve_unseen(letter.id, dialect())
                                               : begin_replay(letter.id, replay.claim));
    into.push_back(
        audit_letter(letter.id, "replayed", replay.actor, in_order ? "before its key" : "at the end of its lane"));
}

void SqlDeadLetters::tell(const std::vector<Parked>& parked, News news) const {
    for (const Parked& one : parked)
        on_parked_(one.subscription, one.lane, one.group, news);
}

db::Task<std::vector<ParkedMessages>> SqlDeadLetters::parked(std::optional<std::string> subscription,
                                                             std::uint32_t limit) {
    if (limit < 1 || limit > kMostKeys)
        throw fault(ErrorKind::config, fmt::format("limit is {}, it must be from 1 to {}", limit, kMostKeys));
    SqlText sql(
        "select p.subscription, p.lane, p.queue, p.\"key\", p.sequence, p.attempts, p.reason, p.held, p.parked_at,"
        " (select count(*) from sluice_parked q where q.subscription = p.subscription and q.lane = p.lane"
        " and q.key_group = p.key_group) as messages from sluice_parked p"
        " where not exists (select 1 from sluice_parked q where q.subscription = p.subscription and q.lane = p.lane"
        " and q.key_group = p.key_group and q.seq < p.seq)");
    if (subscription) sql.add(" and p.subscription = ").bind(*subscription);
    sql.add(" order by p.subscription, p.lane, p.seq limit ").bind(limit);
    std::vector<db::Statement> select;
    select.push_back(sql.take());
    std::unique_ptr<db::Connection> connection = co_await deps_.source->acquire(db::AccessIntent::read);
    co_await check_names(*connection, subscription, std::nullopt, "");
    const std::vector<db::Result> results = co_await connection->run(std::move(select));
    std::vector<ParkedMessages> all;
    for (const db::Row& row : results[0]) {
        ParkedMessages one;
        one.subscription = row.get<std::string>("subscription");
        one.lane = core::LaneId(static_cast<std::uint16_t>(row.get<std::int64_t>("lane")));
        one.queue = deps_.queue_name(queue_number(row.at(row.index_of("queue"))));
        one.key = row.get<std::optional<std::string>>("key").value_or("");
        one.first = core::Sequence(row.get<std::int64_t>("sequence"));
        one.messages = static_cast<std::uint64_t>(row.get<std::int64_t>("messages"));
        one.attempts = static_cast<int>(row.get<std::int64_t>("attempts"));
        one.reason = row.get<std::optional<std::string>>("reason").value_or("");
        one.held = row.get<std::int64_t>("held") != 0;
        one.since = db::Timestamp(std::chrono::microseconds(row.get<std::int64_t>("parked_at")));
        all.push_back(std::move(one));
    }
    co_return all;
}

db::Task<std::uint64_t> SqlDeadLetters::release(std::string subscription, std::string queue, std::string key,
                                                Release how, std::string actor) {
    const Released what{std::move(subscription), std::move(queue), std::move(key), how, std::move(actor)};
    const auto body = [this, &what](db::UnitOfWork& unit) { return release_in(unit, what); };
    const std::vector<Parked> released = co_await deps_.source->transaction({}, body);
    tell(released, News::written);
    co_return released.size();
}

db::Task<std::vector<SqlDeadLetters::Parked>> SqlDeadLetters::release_in(db::UnitOfWork& unit, const Released& what) {
    co_await check_names(unit, what.subscription, what.queue, "");
    const db::Value key = what.key.empty() ? db::Value(db::null) : db::Value(what.key);
    const db::Result groups = co_await unit.query(
        "select distinct lane, key_group from sluice_parked where subscription = $1"
        " and queue = (select number from sluice_queue where name = $2) and (\"key\" = $3 or ($3 is null and \"key\" "
        "is null))",
        what.subscription, what.queue, key);
    std::vector<Parked> released;
    for (const db::Row& row : groups) {
        released.push_back(
            {what.subscription, static_cast<std::size_t>(row.get<std::int64_t>(0)), row.get<std::string>(1)});
        co_await release_one(unit, released.back(), what);
    }
    co_return released;
}

db::Task<void> SqlDeadLetters::release_one(db::UnitOfWork& unit, const Parked& parked, const Released& what) {
    const CursorRef cursor{parked.subscription, static_cast<std::int64_t>(parked.lane), {}};
    std::vector<db::Statement> select;
    select.push_back(select_parked(cursor, parked.group, 1));
    const std::vector<db::Result> results = co_await unit.run(std::move(select));
    const Item first = parked_item(deps_, results[0].rows.at(0), parked.group);
    if (what.how == Release::bury) {
        co_await bury_first(unit, parked, first, what);
        co_return;
    }
    const std::string reason = what.actor.empty() ? "released" : "released by " + what.actor;
    std::vector<db::Statement> statements;
    statements.push_back(update_parked(cursor, parked.group, first.waiting.number, {0, reason, false}));
    co_await unit.run(std::move(statements));
}

/// A new letter, or the one that the message replays is pending again.
db::Task<void> SqlDeadLetters::bury_first(db::UnitOfWork& unit, const Parked& parked, const Item& first,
                                          const Released& what) {
    const CursorRef cursor{parked.subscription, static_cast<std::int64_t>(parked.lane), {}};
    const std::int64_t number = first.waiting.number;
    const std::optional<db::Row> row = co_await unit.query_one(
        "select reason from sluice_parked where subscription = $1 and lane = $2 and key_group = $3 and seq = $4",
        parked.subscription, cursor.lane, parked.group, number);
    const std::string reason = row->get<std::optional<std::string>>(0).value_or("");
    std::vector<db::Statement> statements;
    if (const auto letter = letter_of(first.message())) {
        statements.push_back(audit_held_letter(*letter, "buried", what.actor, reason));
        statements.push_back(return_letter(*letter, first.attempts, reason, dialect()));
    } else {
        db::Statement bury = bury_parked(cursor, parked.group, number, first.attempts, reason);
        if (dialect() == db::Dialect::postgres) bury.sql += " returning id";
        statements.push_back(std::move(bury));
        const std::vector<db::Result> buried = co_await unit.run(std::exchange(statements, {}));
        statements.push_back(audit_letter(appended(buried).at(0).id, "buried", what.actor, reason));
    }
    statements.push_back(delete_parked(cursor, parked.group, number));
    co_await unit.run(std::move(statements));
}

}  // namespace sluice::outbox
