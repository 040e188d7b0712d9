// Giving letters and parked keys back to delivery.
#include <algorithm>

#include <fmt/format.h>

#include "sluice/core/json.hpp"
#include "sluice/core/unique_id.hpp"
#include "sluice/outbox/error.hpp"
#include "sluice/outbox/internal/letter_row.hpp"
#include "sluice/outbox/internal/limits.hpp"
#include "sluice/outbox/internal/message_row.hpp"
#include "sluice/outbox/internal/publish_buffer.hpp"
#include "sluice/outbox/internal/sql.hpp"
#include "sluice/outbox/internal/sql_dead_letters.hpp"

namespace sluice::outbox {
namespace {

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

/// The letter as the first message of its key that waits apart.
db::Statement park_letter(const DeadLetter& letter, const std::string& group, const std::string& claim) {
    return db::statement(
        fmt::format(
            "insert into sluice_parked(subscription, lane, key_group, seq, lane_of_message, sequence, position,"
            " ledger_epoch, attempts, reason, held, message, queue, key, type, tenant, trace, headers, payload,"
            " created_at) select subscription, lane, $1, seq, lane_of_message, sequence, position, ledger_epoch, 0,"
            " reason, 0, message, queue, key, type, tenant, trace, $2, payload, created_at"
            " from sluice_dead_letter where id = $3"),
        group, core::json::encode(steering(letter.message.headers, letter, claim)), letter.id);
}

}  // namespace

db::Task<LetterReport> SqlDeadLetters::replay(DeadLetterFilter filter, LetterOptions options, ReplayPlace place) {
    Change change;
    change.which = [this](SqlText& sql) { add_claimable(sql, dialect()); };
    change.filter = std::move(filter);
    change.options = std::move(options);
    check(change.filter, change.options);
    const std::string token = core::unique_id();
    std::vector<Parked> parked;
    const auto body = [this, &change, place, &token, &parked](db::UnitOfWork& unit) {
        return replay_in(unit, change, place, token, parked);
    };
    LetterReport report = co_await deps_.source->transaction({}, body);
    if (!change.options.dry_run) tell(parked);
    co_return report;
}

db::Task<LetterReport> SqlDeadLetters::replay_in(db::UnitOfWork& unit, const Change& change, ReplayPlace place,
                                                 std::string token, std::vector<Parked>& parked) {
    parked.clear();
    LetterReport report;
    const std::vector<std::int64_t> ids = co_await choose(unit, change);
    for (const std::int64_t id : ids) {
        if (!change.options.dry_run) {
            const bool replayed = co_await replay_one(unit, id, place, token, parked);
            if (!replayed) continue;
            std::vector<db::Statement> audit;
            audit.push_back(audit_letter(id, "replayed", change.options.actor,
                                         place == ReplayPlace::in_order ? "before its key" : "at the end of its lane"));
            co_await unit.run(std::move(audit));
        }
        report.ids.push_back(id);
    }
    if (!report.ids.empty() && !change.options.dry_run) report.claim = token;
    co_return report;
}

/// Answers false for a letter whose queue is not known.
db::Task<bool> SqlDeadLetters::replay_one(db::UnitOfWork& unit, std::int64_t id, ReplayPlace place, std::string token,
                                          std::vector<Parked>& parked) {
    SqlText sql(letter_columns());
    sql.add(" and id = ").bind(id);
    std::vector<db::Statement> select;
    select.push_back(sql.take());
    const std::vector<db::Result> results = co_await unit.run(std::move(select));
    const db::Row& row = results[0].rows.at(0);
    const DeadLetter letter = read_letter(deps_, row);
    const std::int32_t queue = queue_number(row.at(1));
    if (!deps_.queue_names.contains(queue)) co_return false;
    std::vector<db::Statement> statements;
    if (letter.subscription.empty()) {
        statements.push_back(PublishBuffer::insert_statement(outgoing_of(letter, token)));
        statements.push_back(db::statement(
            sql::expand("update sluice_dead_letter set state = 'resolved', completed_at = {now} where id = $1",
                        dialect()),
            id));
    } else if (place == ReplayPlace::in_order) {
        const std::int64_t number = row.get<std::int64_t>("seq");
        const std::string group = key_group(queue, letter.message.key, number);
        statements.push_back(park_letter(letter, group, token));
        statements.push_back(begin_replay(id, token));
        parked.push_back({letter.subscription, static_cast<std::size_t>(row.get<std::int64_t>("lane")), group});
    } else {
        statements.push_back(PublishBuffer::insert_statement(outgoing_of(letter, token)));
        statements.push_back(begin_replay(id, token));
    }
    co_await unit.run(std::move(statements));
    co_return true;
}

void SqlDeadLetters::tell(const std::vector<Parked>& parked) const {
    for (const Parked& one : parked)
        on_parked_(one.subscription, one.lane, one.group);
}

db::Task<std::vector<ParkedMessages>> SqlDeadLetters::parked(std::optional<std::string> subscription,
                                                             std::uint32_t limit) {
    SqlText sql(
        "select p.subscription, p.lane, p.queue, p.key, p.sequence, p.attempts, p.reason, p.held, p.parked_at,"
        " (select count(*) from sluice_parked q where q.subscription = p.subscription and q.lane = p.lane"
        " and q.key_group = p.key_group) as messages from sluice_parked p"
        " where not exists (select 1 from sluice_parked q where q.subscription = p.subscription and q.lane = p.lane"
        " and q.key_group = p.key_group and q.seq < p.seq)");
    if (subscription) sql.add(" and p.subscription = ").bind(*subscription);
    sql.add(" order by p.subscription, p.lane, p.seq limit ").bind(limit);
    std::vector<db::Statement> select;
    select.push_back(sql.take());
    std::unique_ptr<db::Connection> connection = co_await deps_.source->acquire(db::AccessIntent::read);
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
    tell(released);
    co_return released.size();
}

db::Task<std::vector<SqlDeadLetters::Parked>> SqlDeadLetters::release_in(db::UnitOfWork& unit, const Released& what) {
    const db::Value key = what.key.empty() ? db::Value(db::null) : db::Value(what.key);
    const db::Result groups = co_await unit.query(
        "select distinct lane, key_group from sluice_parked where subscription = $1"
        " and queue = (select number from sluice_queue where name = $2) and (key = $3 or ($3 is null and key is null))",
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
    const db::Result first = co_await unit.query(
        "select seq, attempts, reason from sluice_parked where subscription = $1 and lane = $2 and key_group = $3"
        " order by seq limit 1",
        parked.subscription, cursor.lane, parked.group);
    const std::int64_t number = first.rows.at(0).get<std::int64_t>(0);
    std::vector<db::Statement> statements;
    if (what.how == Release::bury) {
        const auto attempts = static_cast<std::uint32_t>(first.rows[0].get<std::int64_t>(1));
        const std::string reason = first.rows[0].get<std::optional<std::string>>(2).value_or("");
        statements.push_back(bury_parked(cursor, parked.group, number, attempts, reason));
        statements.push_back(delete_parked(cursor, parked.group, number));
    } else {
        statements.push_back(update_parked(cursor, parked.group, number, {0, "released by " + what.actor, false}));
    }
    co_await unit.run(std::move(statements));
}

}  // namespace sluice::outbox
