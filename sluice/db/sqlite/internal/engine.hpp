// One SQLite connection that runs statements: cache, binding, guard, errors. Used by one thread at a time.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "sluice/core/clock.hpp"
#include "sluice/db/error.hpp"
#include "sluice/db/row.hpp"
#include "sluice/db/sqlite/database.hpp"
#include "sluice/db/sqlite/internal/guard.hpp"
#include "sluice/db/sqlite/internal/handle.hpp"
#include "sluice/db/sqlite/internal/statement_cache.hpp"
#include "sluice/db/statement.hpp"

namespace sluice::db::sqlite {

/// Our own statements around those of the callers.
enum class Control : std::uint8_t {
    begin_immediate,
    begin,
    commit,
    rollback,
    savepoint,
    release,
    rollback_to,
    bulk_savepoint,
    bulk_release,
    bulk_rollback_to,
};

struct EngineOptions {
    std::string source;
    std::string path;
    OpenMode mode = OpenMode::create_and_write;
    Synchronous synchronous = Synchronous::full;
    std::chrono::milliseconds busy_timeout{5'000};
    std::size_t cached_statements = 128;
};

/// Failures are db::Error with the source's name and the statement's fingerprint.
class Engine {
public:
    /// Opens and sets the connection up: WAL, synchronous, foreign keys, busy timeout. Throws `connection`, or `config`
    /// when the file cannot be in WAL mode or the library is too old.
    explicit Engine(EngineOptions options);
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    Result run(const Statement& statement);
    /// One prepared insert, run per row, inside a savepoint: all rows or none. A transaction must be open.
    std::uint64_t bulk(const BulkInsert& rows);
    void control(Control control);

    [[nodiscard]] bool in_transaction() const noexcept;
    /// Whether a deferred foreign key is violated at this moment, so that a COMMIT would fail.
    [[nodiscard]] bool deferred_keys_open() const noexcept;
    /// A number that changes when another connection commits.
    [[nodiscard]] std::int64_t data_version();

    /// From now on a statement is interrupted when `deadline` has passed (`timeout`) or `*cancel` is set (`cancelled`);
    /// both are looked at every few thousand steps of SQLite's machine. `cancel` may be null and must outlive its use.
    void set_interrupts(core::SteadyTime deadline, const std::atomic<bool>* cancel) noexcept;

    /// Moves the WAL into the file and empties it, as far as other processes allow.
    void checkpoint() noexcept;

    [[nodiscard]] sqlite3* handle() noexcept { return handle_.get(); }
    [[nodiscard]] std::size_t cached_statements() const noexcept { return cache_.size(); }

private:
    struct Acquired;
    static int on_progress(void* self);

    void set_up();
    void exec(const char* sql);
    Prepared prepare(const std::string& sql);
    void check_tail(const std::string& sql, const char* tail);
    Prepared& prepared(const std::string& sql, Prepared& spare);
    void bind(const std::string& sql, const Prepared& prepared, const std::vector<Value>& values);
    void step_all(const std::string& sql, Prepared& prepared, Result& result);
    void refresh_columns(Prepared& prepared);
    std::uint64_t insert_rows(const std::string& sql, const BulkInsert& rows);
    [[noreturn]] void fail(std::string_view sql);
    [[noreturn]] void refuse(std::string message, std::string_view sql);

    EngineOptions options_;
    Handle handle_;
    std::unique_ptr<Guard> guard_;
    StatementCache cache_;
    std::array<PreparedStatement, 10> controls_;
    PreparedStatement data_version_;
    core::SteadyTime deadline_ = core::SteadyTime::max();
    const std::atomic<bool>* cancel_ = nullptr;
    bool timed_out_ = false;
};

}  // namespace sluice::db::sqlite
