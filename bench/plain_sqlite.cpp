#include "plain_sqlite.hpp"

#include <cstdlib>

#include <sqlite3.h>

namespace sluice::bench {
namespace {

void check(int code) {
    if (code != SQLITE_OK) std::abort();
}

}  // namespace

PlainSqlite::PlainSqlite(const std::string& file) {
    check(
        sqlite3_open_v2(file.c_str(), &db_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr));
    for (const char* sql : {"pragma journal_mode = wal", "pragma synchronous = full", "pragma foreign_keys = on",
                            "pragma cache_size = -8192", kOrders, kMessages}) {
        check(sqlite3_exec(db_, sql, nullptr, nullptr, nullptr));
    }
    begin_ = prepared("begin immediate");
    savepoint_ = prepared("savepoint one_unit");
    order_ = prepared("insert into orders(article, quantity) values (?1, ?2)");
    message_ = prepared("insert into message(queue, key, payload) values (?1, ?2, ?3)");
    release_ = prepared("release one_unit");
    commit_ = prepared("commit");
}

PlainSqlite::~PlainSqlite() {
    for (sqlite3_stmt* statement : statements_)
        sqlite3_finalize(statement);
    sqlite3_close(db_);
}

void PlainSqlite::commit_one() {
    step(begin_);
    unit();
    step(commit_);
}

void PlainSqlite::commit_group(int units) {
    step(begin_);
    for (int i = 0; i < units; ++i) {
        step(savepoint_);
        unit();
        step(release_);
    }
    step(commit_);
}

void PlainSqlite::unit() {
    sqlite3_bind_text(order_, 1, "A-100", -1, SQLITE_STATIC);
    sqlite3_bind_int(order_, 2, ++number_);
    step(order_);
    sqlite3_bind_int(message_, 1, 1);
    sqlite3_bind_text(message_, 2, "A-100", -1, SQLITE_STATIC);
    sqlite3_bind_blob(message_, 3, payload_.data(), static_cast<int>(payload_.size()), SQLITE_STATIC);
    step(message_);
}

sqlite3_stmt* PlainSqlite::prepared(const char* sql) {
    sqlite3_stmt* statement = nullptr;
    check(sqlite3_prepare_v2(db_, sql, -1, &statement, nullptr));
    statements_.push_back(statement);
    return statement;
}

void PlainSqlite::step(sqlite3_stmt* statement) {
    if (sqlite3_step(statement) != SQLITE_DONE) std::abort();
    sqlite3_reset(statement);
}

}  // namespace sluice::bench
