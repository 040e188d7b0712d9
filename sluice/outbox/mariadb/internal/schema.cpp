// The tables on MariaDB. Texts compare byte by byte, trailing spaces included; what is part of a key has a length.
#include "sluice/outbox/internal/schema.hpp"
#include "sluice/outbox/internal/sql.hpp"

namespace sluice::outbox {
namespace {

constexpr const char* kDefineQueue =
    "create table sluice_queue("
    " number bigint primary key,"
    " name {name} not null unique,"
    " lanes bigint not null check (lanes between 1 and 4096),"
    " ordering {name} not null check (ordering in ('causal', 'strict')),"
    " retention_s bigint,"  // null: for ever
    " paused bigint not null default 0,"
    " schema_version bigint not null default 1"
    ") {table}";

// Written once, never updated. Ids are given when a row is inserted, so a late commit may bring a low one.
constexpr const char* kDefineMessage =
    "create table sluice_message("
    " id bigint not null auto_increment primary key,"
    " queue bigint,"
    " \"key\" varchar(512),"
    " type varchar(255) not null,"
    " tenant varchar(255),"
    " trace tinyblob,"
    " headers mediumtext,"
    " payload longblob not null,"
    " created_at bigint not null default ({now}),"
    " constraint sluice_queue_is_not_declared check (queue is not null)"
    ") {table}";

// The messages that no tick has numbered yet; a tick removes what it numbers.
constexpr const char* kDefineIncoming = "create table sluice_incoming(id bigint primary key) {table}";

// So that whoever inserts a message needs to know of one table only.
constexpr const char* kDefineIncomingTrigger =
    "create trigger sluice_message_arrives after insert on sluice_message for each row"
    " insert into sluice_incoming(id) values (new.id)";

// xid, snapshot, last_value and cut are PostgreSQL's business.
constexpr const char* kDefineTick =
    "create table sluice_tick("
    " n bigint primary key,"
    " xid bigint,"
    " epoch bigint not null,"
    " ticked_at bigint not null,"
    " snapshot text,"
    " last_value bigint,"
    " cut bigint,"
    " identity text,"
    " first_position bigint not null,"
    " messages bigint not null,"
    " lowest_id bigint not null,"
    " highest_id bigint not null,"
    " map_version bigint not null,"
    " refs longblob not null,"
    " checkpoint longblob"
    ") {table}";

constexpr const char* kDefineSubscription =
    "create table sluice_subscription("
    " name {name} primary key,"
    " \"reads\" {name} not null check (\"reads\" in ('by_lane', 'merged')),"
    " queues mediumtext not null,"  // JSON array of names, sorted
    " paused bigint not null default 0,"
    " created_at bigint not null default ({now})"
    ") {table}";

// lease_until and lease_up_to: what a leased handler has in its hands.
constexpr const char* kDefineCursor =
    "create table sluice_cursor("
    " subscription {name} not null,"
    " lane bigint not null,"
    " seq bigint not null,"
    " tick bigint not null,"
    " owner {name},"
    " epoch bigint not null,"
    " lease_until bigint,"
    " lease_up_to bigint,"
    " primary key (subscription, lane)"
    ") {table}";

constexpr const char* kDefineAttempt =
    "create table sluice_attempt("
    " subscription {name} not null,"
    " lane bigint not null,"
    " seq bigint not null,"
    " attempts bigint not null,"
    " reason text not null,"
    " failed_at bigint not null default ({now}),"
    " primary key (subscription, lane, seq)"
    ") {table}";

// key_group: the queue's number, a slash and the key.
constexpr const char* kDefineParked =
    "create table sluice_parked("
    " subscription {name} not null,"
    " lane bigint not null,"
    " key_group varchar(544) not null,"
    " seq bigint not null,"
    " lane_of_message bigint not null,"
    " sequence bigint not null,"
    " position bigint not null,"
    " ledger_epoch bigint not null,"
    " message bigint not null,"
    " queue bigint not null,"
    " \"key\" varchar(512),"
    " type varchar(255) not null,"
    " tenant varchar(255),"
    " trace tinyblob,"
    " headers mediumtext,"
    " payload longblob not null,"
    " created_at bigint not null,"
    " attempts bigint not null,"
    " reason text,"
    " held bigint not null default 0,"
    " parked_at bigint not null default ({now}),"
    " primary key (subscription, lane, key_group, seq)"
    ") {table}";

constexpr const char* kDefineDeadLetter =
    "create table sluice_dead_letter("
    " id bigint not null auto_increment primary key,"
    " subscription {name},"
    " lane bigint,"
    " seq bigint,"
    " lane_of_message bigint,"
    " sequence bigint,"
    " position bigint,"
    " ledger_epoch bigint,"
    " message bigint not null,"
    " queue bigint not null,"
    " \"key\" varchar(512),"
    " type varchar(255) not null,"
    " tenant varchar(255),"
    " trace tinyblob,"
    " headers mediumtext,"
    " payload longblob not null,"
    " created_at bigint not null,"
    " attempts bigint not null,"
    " reason text not null,"
    " state {name} not null default 'pending' check (state in ('pending', 'reprocessing', 'resolved', 'discarded')),"
    " failed_at bigint not null default ({now}),"
    " claim {name},"
    " claim_until bigint,"  // null while reprocessing: until the replayed message is done
    " completed_at bigint"
    ") {table}";

constexpr const char* kDefineDeadLetterByState =
    "create index sluice_dead_letter_by_state on sluice_dead_letter(state, failed_at, id)";

constexpr const char* kDefineDeadLetterAudit =
    "create table sluice_dead_letter_audit("
    " letter bigint not null,"
    " line bigint not null,"
    " at bigint not null default ({now}),"
    " action {name} not null,"
    " actor text not null,"
    " detail text not null,"
    " primary key (letter, line)"
    ") {table}";

// Whoever starts locks the row: named locks of the server belong to a session, not to a transaction.
constexpr const char* kDefineStart = "create table sluice_start(one bigint primary key) {table}";
constexpr const char* kDefineStartRow = "insert into sluice_start(one) values (1)";

}  // namespace

std::vector<std::string> mariadb_tables() {
    std::vector<std::string> statements;
    for (const char* const text : {kDefineQueue, kDefineMessage, kDefineIncoming, kDefineIncomingTrigger, kDefineTick,
                                   kDefineSubscription, kDefineCursor, kDefineAttempt, kDefineParked, kDefineDeadLetter,
                                   kDefineDeadLetterByState, kDefineDeadLetterAudit, kDefineStart, kDefineStartRow})
        statements.push_back(sql::expand(text, db::Dialect::mariadb));
    return statements;
}

}  // namespace sluice::outbox
