#include "sluice/db/sqlite/internal/engine.hpp"

#include <array>

#include <fmt/format.h>

#include "sluice/db/internal/failures.hpp"
#include "sluice/db/internal/fingerprint.hpp"
#include "sluice/db/sqlite/internal/binding.hpp"
#include "sluice/db/sqlite/internal/bulk_sql.hpp"
#include "sluice/db/sqlite/internal/classify.hpp"
#include "sluice/db/sqlite/internal/placeholders.hpp"

namespace sluice::db::sqlite {
namespace {

constexpr int kOldestLibrary = 3'035'000;
constexpr int kProgressSteps = 4'000;
constexpr std::size_t kLargestCachedSql = 16 * 1024;

constexpr std::array<const char*, 10> kControlSql{
    "BEGIN IMMEDIATE",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT sluice_unit",
    "RELEASE sluice_unit",
    "ROLLBACK TO sluice_unit",
    "SAVEPOINT sluice_bulk",
    "RELEASE sluice_bulk",
    "ROLLBACK TO sluice_bulk",
};

/// Leaves a statement ready for its next use, whatever happened.
class ResetOnExit {
public:
    explicit ResetOnExit(sqlite3_stmt* statement) : statement_(statement) {}
    ~ResetOnExit() {
        sqlite3_reset(statement_);
        sqlite3_clear_bindings(statement_);  // they point into values that are about to go
    }
    ResetOnExit(const ResetOnExit&) = delete;
    ResetOnExit& operator=(const ResetOnExit&) = delete;

private:
    sqlite3_stmt* statement_;
};

}  // namespace

Engine::Engine(EngineOptions options)
    : options_(std::move(options)),
      handle_(open_handle(options_.source, options_.path, options_.mode)),
      cache_(options_.cached_statements) {
    if (sqlite3_libversion_number() < kOldestLibrary) {
        throw internal::failure(ErrorKind::config, options_.source,
                                fmt::format("SQLite {} is too old; 3.35 or newer is needed", sqlite3_libversion()));
    }
    set_up();
    guard_ = std::make_unique<Guard>(handle_.get());
    sqlite3_progress_handler(handle_.get(), kProgressSteps, &Engine::on_progress, this);
}

Engine::~Engine() = default;

void Engine::exec(const char* sql) {
    if (sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail(sql);
}

void Engine::set_up() {
    sqlite3_busy_timeout(handle_.get(), static_cast<int>(options_.busy_timeout.count()));
    if (options_.mode != OpenMode::read) {
        // Turning WAL on does not wait in the busy handler when several processes open a new file at once.
        const auto give_up = std::chrono::steady_clock::now() + options_.busy_timeout;
        std::string mode;
        while (mode.empty()) {
            const PreparedStatement pragma = prepare("PRAGMA journal_mode = WAL").handle;
            const int code = sqlite3_step(pragma.get());
            if (code == SQLITE_ROW) {
                mode = reinterpret_cast<const char*>(sqlite3_column_text(pragma.get(), 0));
            } else if ((code & 0xff) != SQLITE_BUSY || std::chrono::steady_clock::now() > give_up) {
                fail("PRAGMA journal_mode = WAL");
            } else {
                sqlite3_sleep(5);
            }
        }
        if (mode != "wal") {
            throw internal::failure(
                ErrorKind::config, options_.source,
                fmt::format("{} is in journal mode \"{}\" and cannot be in WAL mode; use a file on a "
                            "local disk",
                            options_.path, mode));
        }
        exec(options_.synchronous == Synchronous::full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
        exec("PRAGMA foreign_keys = ON");
        exec("PRAGMA journal_size_limit = 67108864");
    }
    exec("PRAGMA cache_size = -8192");
}

int Engine::on_progress(void* self) {
    auto* const engine = static_cast<Engine*>(self);
    if (engine->cancel_ != nullptr && engine->cancel_->load(std::memory_order_relaxed)) return 1;
    if (engine->deadline_ == core::SteadyTime::max()) return 0;
    engine->timed_out_ = std::chrono::steady_clock::now() > engine->deadline_;
    return engine->timed_out_ ? 1 : 0;
}

void Engine::set_interrupts(core::SteadyTime deadline, const std::atomic<bool>* cancel) noexcept {
    deadline_ = deadline;
    cancel_ = cancel;
}

bool Engine::in_transaction() const noexcept {
    return sqlite3_get_autocommit(handle_.get()) == 0;
}

bool Engine::deferred_keys_open() const noexcept {
    int open = 0;
    int unused = 0;
    sqlite3_db_status(handle_.get(), SQLITE_DBSTATUS_DEFERRED_FKS, &open, &unused, 0);
    return open != 0;
}

std::int64_t Engine::data_version() {
    if (!data_version_) data_version_ = prepare("PRAGMA data_version").handle;
    const ResetOnExit reset(data_version_.get());
    if (sqlite3_step(data_version_.get()) != SQLITE_ROW) fail("PRAGMA data_version");
    return sqlite3_column_int64(data_version_.get(), 0);
}

void Engine::checkpoint() noexcept {
    sqlite3_busy_timeout(handle_.get(), 0);  // closing does not wait for other processes
    sqlite3_wal_checkpoint_v2(handle_.get(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
}

void Engine::control(Control control) {
    const auto index = static_cast<std::size_t>(control);
    const Guard::Trust trust(*guard_);
    PreparedStatement& statement = controls_.at(index);
    if (!statement) {
        sqlite3_stmt* made = nullptr;
        sqlite3_prepare_v3(handle_.get(), kControlSql.at(index), -1, SQLITE_PREPARE_PERSISTENT, &made, nullptr);
        statement.reset(made);
        if (!statement) fail(kControlSql.at(index));
    }
    if (sqlite3_step(statement.get()) == SQLITE_DONE && sqlite3_reset(statement.get()) == SQLITE_OK) return;
    sqlite3_reset(statement.get());
    fail(kControlSql.at(index));
}

Result Engine::run(const Statement& statement) {
    for (const Value& value : statement.values) {
        if (auto refused = refusal(value)) refuse(std::move(*refused), statement.sql);
    }
    Prepared spare;
    Prepared& ready = prepared(statement.sql, spare);
    const ResetOnExit reset(ready.handle.get());
    bind(statement.sql, ready, statement.values);
    Result result{nullptr, {}, 0, 0};  // step_all sets the columns
    if (ready.read_only) {
        step_all(statement.sql, ready, result);
        return result;
    }
    sqlite3_set_last_insert_rowid(handle_.get(), 0);
    const auto before = sqlite3_total_changes64(handle_.get());
    step_all(statement.sql, ready, result);
    // changes() keeps its old value over a statement that changes no row, such as DDL.
    if (sqlite3_total_changes64(handle_.get()) != before) {
        result.affected = static_cast<std::uint64_t>(sqlite3_changes64(handle_.get()));
    }
    result.last_insert_id = sqlite3_last_insert_rowid(handle_.get());
    return result;
}

Prepared& Engine::prepared(const std::string& sql, Prepared& spare) {
    if (Prepared* found = cache_.find(sql)) return *found;
    Prepared made = prepare(sql);
    if (sql.size() <= kLargestCachedSql) return cache_.insert(sql, std::move(made));
    spare = std::move(made);
    return spare;
}

Prepared Engine::prepare(const std::string& sql) {
    if (sql.find('\0') != std::string::npos) refuse("a statement must not contain NUL", sql);
    const auto translated = translate_placeholders(sql);
    if (!translated) refuse(translated.error(), sql);
    sqlite3_stmt* made = nullptr;
    const char* tail = nullptr;
    const int code = sqlite3_prepare_v3(handle_.get(), translated->text.c_str(),
                                        static_cast<int>(translated->text.size()) + 1, 0, &made, &tail);
    Prepared prepared;
    prepared.handle.reset(made);
    if (code != SQLITE_OK) {
        if (guard_) {
            if (std::string reason = guard_->take_refusal(); !reason.empty()) refuse(std::move(reason), sql);
        }
        fail(sql);
    }
    if (made == nullptr) refuse("the statement is empty", sql);
    check_tail(sql, tail);
    prepared.placeholders = translated->placeholders;
    prepared.read_only = sqlite3_stmt_readonly(made) != 0;
    return prepared;
}

void Engine::check_tail(const std::string& sql, const char* tail) {
    if (tail == nullptr || *tail == '\0') return;
    sqlite3_stmt* more = nullptr;
    const int code = sqlite3_prepare_v3(handle_.get(), tail, -1, 0, &more, nullptr);
    sqlite3_finalize(more);
    if (guard_) static_cast<void>(guard_->take_refusal());
    // White space and comments prepare to nothing.
    if (code != SQLITE_OK || more != nullptr) refuse("one statement at a time: put the others in the batch", sql);
}

void Engine::bind(const std::string& sql, const Prepared& prepared, const std::vector<Value>& values) {
    if (values.size() != prepared.placeholders) {
        refuse(fmt::format("the statement has {} placeholders and {} values", prepared.placeholders, values.size()),
               sql);
    }
    int index = 0;
    for (const Value& value : values) {
        if (bind_value(prepared.handle.get(), ++index, value) != SQLITE_OK) fail(sql);
    }
}

void Engine::step_all(const std::string& sql, Prepared& prepared, Result& result) {
    sqlite3_stmt* const statement = prepared.handle.get();
    timed_out_ = false;
    int code = sqlite3_step(statement);
    refresh_columns(prepared);
    result.columns = prepared.columns;
    const auto width = static_cast<int>(prepared.columns->size());
    while (code == SQLITE_ROW) {
        std::vector<Value> values;
        values.reserve(static_cast<std::size_t>(width));
        for (int i = 0; i < width; ++i)
            values.push_back(read_column(statement, i));
        result.rows.emplace_back(prepared.columns, std::move(values));
        code = sqlite3_step(statement);
    }
    if (code != SQLITE_DONE) fail(sql);
}

void Engine::refresh_columns(Prepared& prepared) {
    // A schema change makes the first step prepare again, perhaps with other columns.
    const int reprepared = sqlite3_stmt_status(prepared.handle.get(), SQLITE_STMTSTATUS_REPREPARE, 0);
    if (prepared.columns && prepared.reprepared == reprepared) return;
    Columns names;
    const int width = sqlite3_column_count(prepared.handle.get());
    names.reserve(static_cast<std::size_t>(width));
    for (int i = 0; i < width; ++i)
        names.emplace_back(sqlite3_column_name(prepared.handle.get(), i));
    prepared.columns = std::make_shared<const Columns>(std::move(names));
    prepared.reprepared = reprepared;
}

std::uint64_t Engine::bulk(const BulkInsert& rows) {
    const auto sql = insert_sql(rows);
    if (!sql) refuse(sql.error(), "bulk insert");
    if (rows.rows.empty()) return 0;
    control(Control::bulk_savepoint);
    try {
        const std::uint64_t written = insert_rows(*sql, rows);
        control(Control::bulk_release);
        return written;
    } catch (const Error&) {
        if (in_transaction()) {
            control(Control::bulk_rollback_to);
            control(Control::bulk_release);
        }
        throw;
    }
}

std::uint64_t Engine::insert_rows(const std::string& sql, const BulkInsert& rows) {
    std::uint64_t written = 0;
    Prepared spare;
    Prepared& ready = prepared(sql, spare);
    for (const std::vector<Value>& values : rows.rows) {
        for (const Value& value : values) {
            if (auto refused = refusal(value)) refuse(fmt::format("row {}: {}", written, *refused), sql);
        }
        const ResetOnExit reset(ready.handle.get());
        bind(sql, ready, values);
        timed_out_ = false;
        if (sqlite3_step(ready.handle.get()) != SQLITE_DONE) fail(sql);
        ++written;
    }
    return written;
}

void Engine::fail(std::string_view sql) {
    const int extended = sqlite3_extended_errcode(handle_.get());
    ErrorKind kind = classify(extended);
    ErrorDetails details;
    details.source = options_.source;
    details.code = code_text(extended);
    details.message = sqlite3_errmsg(handle_.get());
    details.fingerprint = internal::fingerprint(sql);
    if (extended == SQLITE_INTERRUPT && timed_out_) {
        kind = ErrorKind::timeout;
        details.message = "the statement ran too long and was interrupted";
    }
    throw Error(kind, std::move(details));
}

void Engine::refuse(std::string message, std::string_view sql) {
    ErrorDetails details;
    details.source = options_.source;
    details.message = std::move(message);
    details.fingerprint = internal::fingerprint(sql);
    throw Error(ErrorKind::query, std::move(details));
}

}  // namespace sluice::db::sqlite
