// The same work by SQLite alone, without threads, queues or coroutines: what sluice's figures are compared with.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace sluice::bench {

inline constexpr const char* kOrders = "create table orders(id integer primary key, article text, quantity integer)";
inline constexpr const char* kMessages =
    "create table message(id integer primary key autoincrement, queue integer, key text, payload blob)";
inline constexpr std::size_t kPayload = 200;

/// One connection (WAL, synchronous = FULL, foreign keys on), prepared statements. A unit is an order row and a message
/// row. One client after another: nobody waits for a lock.
class PlainSqlite {
public:
    explicit PlainSqlite(const std::string& file);
    ~PlainSqlite();
    PlainSqlite(const PlainSqlite&) = delete;
    PlainSqlite& operator=(const PlainSqlite&) = delete;

    /// BEGIN IMMEDIATE, a unit, COMMIT.
    void commit_one();
    /// BEGIN IMMEDIATE, `units` units in a savepoint each, COMMIT: no group commit over SQLite can do less.
    void commit_group(int units);

private:
    sqlite3_stmt* prepared(const char* sql);
    void unit();
    static void step(sqlite3_stmt* statement);

    sqlite3* db_ = nullptr;
    std::vector<sqlite3_stmt*> statements_;
    sqlite3_stmt* begin_ = nullptr;
    sqlite3_stmt* savepoint_ = nullptr;
    sqlite3_stmt* order_ = nullptr;
    sqlite3_stmt* message_ = nullptr;
    sqlite3_stmt* release_ = nullptr;
    sqlite3_stmt* commit_ = nullptr;
    std::vector<char> payload_ = std::vector<char>(kPayload, 'x');
    int number_ = 0;
};

}  // namespace sluice::bench
