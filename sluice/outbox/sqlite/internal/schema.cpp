// The tables on SQLite.
#include "sluice/outbox/internal/schema.hpp"
#include "sluice/outbox/internal/sql.hpp"

namespace sluice::outbox {
namespace {

constexpr const char* kQueue =
    "create table sluice_queue("
    " number integer primary key,"
    " name text not null unique,"
    " lanes integer not null check (lanes between 1 and 4096),"
    " ordering text not null check (ordering in ('causal', 'strict')),"
    " retention_s integer,"  // null: for ever
    " paused integer not null default 0,"
    " schema_version integer not null default 1"
    ") strict";

// Written once, never updated. The check's name is what a producer reads that names an unknown queue. AUTOINCREMENT, or
// ids would come back after retention emptied the table.
constexpr const char* kMessage =
    "create table sluice_message("
    " id integer primary key autoincrement,"
    " queue integer constraint sluice_queue_is_not_declared check (queue is not null),"
    " key text,"
    " type text not null,"
    " tenant text,"
    " trace blob,"
    " headers text,"
    " payload any not null,"
    " created_at integer not null default {now}"
    ") strict";

// xid, snapshot, last_value, cut and identity are other databases' business.
constexpr const char* kTick =
    "create table sluice_tick("
    " n integer primary key,"
    " xid integer,"
    " epoch integer not null,"
    " ticked_at integer not null,"
    " snapshot text,"
    " last_value integer,"
    " cut integer,"
    " identity text,"
    " first_position integer not null,"
    " messages integer not null,"
    " lowest_id integer not null,"
    " highest_id integer not null,"
    " map_version integer not null,"
    " refs blob not null,"
    " checkpoint blob"
    ") strict";

constexpr const char* kSubscription =
    "create table sluice_subscription("
    " name text primary key,"
    " reads text not null check (reads in ('by_lane', 'merged')),"
    " queues text not null,"  // JSON array of names, sorted
    " paused integer not null default 0,"
    " created_at integer not null default {now}"
    ") strict, without rowid";

// lease_until and lease_up_to: what a leased handler has in its hands.
constexpr const char* kCursor =
    "create table sluice_cursor("
    " subscription text not null,"
    " lane integer not null,"
    " seq integer not null,"
    " tick integer not null,"
    " owner text,"
    " epoch integer not null,"
    " lease_until integer,"
    " lease_up_to integer,"
    " primary key (subscription, lane)"
    ") strict, without rowid";

constexpr const char* kAttempt =
    "create table sluice_attempt("
    " subscription text not null,"
    " lane integer not null,"
    " seq integer not null,"
    " attempts integer not null,"
    " reason text not null,"
    " failed_at integer not null default {now},"
    " primary key (subscription, lane, seq)"
    ") strict, without rowid";

constexpr const char* kParked =
    "create table sluice_parked("
    " subscription text not null,"
    " lane integer not null,"
    " key_group text not null,"
    " seq integer not null,"
    " lane_of_message integer not null,"
    " sequence integer not null,"
    " position integer not null,"
    " ledger_epoch integer not null,"
    " message integer not null,"
    " queue integer not null,"
    " key text,"
    " type text not null,"
    " tenant text,"
    " trace blob,"
    " headers text,"
    " payload any not null,"
    " created_at integer not null,"
    " attempts integer not null,"
    " reason text,"
    " held integer not null default 0,"
    " parked_at integer not null default {now},"
    " primary key (subscription, lane, key_group, seq)"
    ") strict";

constexpr const char* kDeadLetter =
    "create table sluice_dead_letter("
    " id integer primary key autoincrement,"
    " subscription text,"
    " lane integer,"
    " seq integer,"
    " lane_of_message integer,"
    " sequence integer,"
    " position integer,"
    " ledger_epoch integer,"
    " message integer not null,"
    " queue integer not null,"
    " key text,"
    " type text not null,"
    " tenant text,"
    " trace blob,"
    " headers text,"
    " payload any not null,"
    " created_at integer not null,"
    " attempts integer not null,"
    " reason text not null,"
    " state text not null default 'pending' check (state in ('pending', 'reprocessing', 'resolved', 'discarded')),"
    " failed_at integer not null default {now},"
    " claim text,"
    " claim_until integer,"  // null while reprocessing: until the replayed message is done
    " completed_at integer"
    ") strict";

constexpr const char* kDeadLetterByState =
    "create index sluice_dead_letter_by_state on sluice_dead_letter(state, failed_at, id)";

constexpr const char* kDeadLetterAudit =
    "create table sluice_dead_letter_audit("
    " letter integer not null,"
    " line integer not null,"
    " at integer not null default {now},"
    " action text not null,"
    " actor text not null,"
    " detail text not null,"
    " primary key (letter, line)"
    ") strict, without rowid";

}  // namespace

std::vector<std::string> sqlite_tables() {
    std::vector<std::string> statements;
    for (const char* const text : {kQueue, kMessage, kTick, kSubscription, kCursor, kAttempt, kParked, kDeadLetter,
                                   kDeadLetterByState, kDeadLetterAudit})
        statements.push_back(sql::expand(text, db::Dialect::sqlite));
    return statements;
}

}  // namespace sluice::outbox
