#include "sluice/outbox/internal/statements.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "sluice/core/mutant.hpp"
#include "sluice/core/utf8.hpp"
#include "sluice/outbox/internal/sql.hpp"

namespace sluice::outbox {
namespace {

/// Texts come from handlers: cut so that a row stays small, and made fit to be stored as text.
std::string shortened(const std::string& text) {
    constexpr std::size_t kReasonBytes = 2'000;
    std::string kept = text.substr(0, kReasonBytes);
    if (text.size() > kReasonBytes) {
        while (!kept.empty() && (static_cast<unsigned char>(kept.back()) & 0xc0U) == 0x80U)
            kept.pop_back();
        if (!kept.empty()) kept.pop_back();
    }
    const bool readable = core::is_utf8(kept);
    std::ranges::replace_if(kept, [&](char c) { return c == '\0' || (!readable && (c & 0x80) != 0); }, '?');
    return kept;
}

}  // namespace

db::Statement advance_cursor(const CursorRef& cursor, std::int64_t from, std::int64_t to, std::int64_t tick) {
    if (core::mutant("outbox_ack_without_epoch")) {
        return db::statement(
            "update sluice_cursor set seq = $1, tick = $2 where subscription = $3 and lane = $4 and $5 = $5", to, tick,
            cursor.subscription, cursor.lane, from);
    }
    return db::statement(
        "update sluice_cursor set seq = $1, tick = $2 where subscription = $3 and lane = $4 and seq = $5 and epoch = "
        "$6",
        to, tick, cursor.subscription, cursor.lane, from, cursor.epoch.value());
}

db::Statement acknowledge_lease(const CursorRef& cursor, std::int64_t from, std::int64_t to, std::int64_t tick) {
    db::Statement made = advance_cursor(cursor, from, to, tick);
    constexpr std::string_view kSet = "set ";
    made.sql.insert(made.sql.find(kSet) + kSet.size(), "lease_until = null, lease_up_to = null, ");
    return made;
}

db::Statement take_lease(const CursorRef& cursor, std::int64_t from, std::int64_t up_to,
                         std::chrono::milliseconds duration, db::Dialect dialect) {
    return db::statement(sql::expand("update sluice_cursor set lease_until = {now} + $1, lease_up_to = $2"
                                     " where subscription = $3 and lane = $4 and seq = $5 and epoch = $6",
                                     dialect),
                         std::chrono::microseconds(duration).count(), up_to, cursor.subscription, cursor.lane, from,
                         cursor.epoch.value());
}

db::Statement keep_attempts(const CursorRef& cursor, std::int64_t number, std::uint32_t attempts,
                            const std::string& reason, db::Dialect dialect) {
    return db::statement(
        sql::expand("insert into sluice_attempt(subscription, lane, seq, attempts, reason) values ($1, $2, $3, $4, $5)"
                    " {on conflict subscription, lane, seq update} attempts = {new attempts},"
                    " reason = {new reason}, failed_at = {now}",
                    dialect),
        cursor.subscription, cursor.lane, number, attempts, shortened(reason));
}

db::Statement forget_attempts(const CursorRef& cursor, std::int64_t number) {
    return db::statement("delete from sluice_attempt where subscription = $1 and lane = $2 and seq = $3",
                         cursor.subscription, cursor.lane, number);
}

db::Statement park_message(const CursorRef& cursor, std::int64_t number, const std::string& group,
                           const Message& message, const ParkReason& reason) {
    db::Statement park = db::statement(
        fmt::format("insert into sluice_parked(subscription, lane, key_group, seq, lane_of_message, sequence, position,"
                    " ledger_epoch, attempts, reason, held, message, {0})"
                    " select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, id, {0} from sluice_message where id = $12",
                    sql::kContent),
        cursor.subscription, cursor.lane, group, number, message.lane.value(), message.sequence.value(),
        message.position.value(), message.ledger_epoch.value(), reason.attempts, shortened(reason.text),
        reason.held ? 1 : 0, message.id.value());
    sql::add_xid(park, message.xid);
    return park;
}

db::Statement select_parked(const CursorRef& cursor, const std::string& group, std::int64_t limit) {
    return db::statement(
        fmt::format(
            "select message, {}, seq, lane_of_message, sequence, position, ledger_epoch, attempts, held"
            " from sluice_parked where subscription = $1 and lane = $2 and key_group = $3 order by seq limit $4",
            sql::kContent),
        cursor.subscription, cursor.lane, group, limit);
}

db::Statement update_parked(const CursorRef& cursor, const std::string& group, std::int64_t number,
                            const ParkReason& reason) {
    return db::statement(
        "update sluice_parked set attempts = $1, reason = $2, held = $3"
        " where subscription = $4 and lane = $5 and key_group = $6 and seq = $7",
        reason.attempts, shortened(reason.text), reason.held ? 1 : 0, cursor.subscription, cursor.lane, group, number);
}

db::Statement delete_parked(const CursorRef& cursor, const std::string& group, std::int64_t number) {
    return db::statement(
        "delete from sluice_parked where subscription = $1 and lane = $2 and key_group = $3 and seq = $4",
        cursor.subscription, cursor.lane, group, number);
}

db::Statement bury_message(const CursorRef& cursor, std::int64_t number, const Message& message, std::uint32_t attempts,
                           const std::string& reason) {
    db::Statement bury = db::statement(
        fmt::format("insert into sluice_dead_letter(subscription, lane, seq, lane_of_message, sequence, position,"
                    " ledger_epoch, attempts, reason, message, {0})"
                    " select $1, $2, $3, $4, $5, $6, $7, $8, $9, id, {0} from sluice_message where id = $10",
                    sql::kContent),
        cursor.subscription, cursor.lane, number, message.lane.value(), message.sequence.value(),
        message.position.value(), message.ledger_epoch.value(), attempts, shortened(reason), message.id.value());
    sql::add_xid(bury, message.xid);
    return bury;
}

db::Statement bury_parked(const CursorRef& cursor, const std::string& group, std::int64_t number,
                          std::uint32_t attempts, const std::string& reason) {
    return db::statement(
        fmt::format(
            "insert into sluice_dead_letter(subscription, lane, seq, lane_of_message, sequence, position,"
            " ledger_epoch, attempts, reason, message, {0})"
            " select subscription, lane, seq, lane_of_message, sequence, position, ledger_epoch, $1, $2, message, {0}"
            " from sluice_parked where subscription = $3 and lane = $4 and key_group = $5 and seq = $6",
            sql::kContent),
        attempts, shortened(reason), cursor.subscription, cursor.lane, group, number);
}

db::Statement resolve_letter(const ReplayedLetter& letter, db::Dialect dialect) {
    return db::statement(
        sql::expand(
            "update sluice_dead_letter set state = 'resolved', completed_at = {now}, claim = null, claim_until = null"
            " where id = $1 and claim = $2 and state = 'reprocessing'",
            dialect),
        letter.id, letter.claim);
}

db::Statement return_letter(const ReplayedLetter& letter, std::uint32_t attempts, const std::string& reason,
                            db::Dialect dialect) {
    return db::statement(
        sql::expand("update sluice_dead_letter set state = 'pending', attempts = attempts + $1, reason = $2,"
                    " failed_at = {now}, claim = null, claim_until = null"
                    " where id = $3 and claim = $4 and state = 'reprocessing'",
                    dialect),
        attempts, shortened(reason), letter.id, letter.claim);
}

db::Statement audit_letter(std::int64_t letter, std::string_view action, std::string_view actor,
                           std::string_view detail) {
    return db::statement(
        "insert into sluice_dead_letter_audit(letter, line, action, actor, detail)"
        " select $1, 1 + coalesce(max(line), 0), $2, $3, $4 from sluice_dead_letter_audit where letter = $1",
        letter, action, actor, shortened(std::string(detail)));
}

db::Statement audit_held_letter(const ReplayedLetter& letter, std::string_view action, std::string_view actor,
                                std::string_view detail) {
    return db::statement(
        "insert into sluice_dead_letter_audit(letter, line, action, actor, detail)"
        " select id, 1 + coalesce((select max(line) from sluice_dead_letter_audit where letter = $1), 0), $2, $3, $4"
        " from sluice_dead_letter where id = $1 and claim = $5 and state = 'reprocessing'",
        letter.id, action, actor, shortened(std::string(detail)), letter.claim);
}

}  // namespace sluice::outbox
