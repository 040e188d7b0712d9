#include "sluice/migrate/internal/stepwise.hpp"

#include <memory>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <boost/asio/this_coro.hpp>

#include "sluice/core/mutant.hpp"
#include "sluice/db/error.hpp"
#include "sluice/migrate/internal/checked_plan.hpp"
#include "sluice/migrate/internal/evidence.hpp"
#include "sluice/migrate/internal/guard.hpp"
#include "sluice/migrate/internal/ledger.hpp"
#include "sluice/migrate/internal/progress.hpp"
#include "sluice/migrate/internal/statement_kind.hpp"

namespace sluice::migrate::internal {
namespace {

/// Whether a statement that ended so has not happened, and will not happen later.
bool is_certain(db::ErrorKind kind) {
    switch (kind) {
        case db::ErrorKind::query:
        case db::ErrorKind::conflict:
        case db::ErrorKind::constraint:
        case db::ErrorKind::permission:
        case db::ErrorKind::read_only:
        case db::ErrorKind::serialization:
            return true;
        default:
            return false;
    }
}

class StepByStep {
public:
    StepByStep(db::DataSource& source, const Migration& migration, core::Logger log, Guard& guard)
        : source_(source),
          migration_(migration),
          statements_(migration.statements.at(source.dialect())),
          log_(std::move(log)),
          guard_(guard) {}

    db::Task<void> run() {
        check_statements();
        co_await find_progress();
        while (progress_.done < statements_.size()) {
            if (runs_alone(statements_[progress_.done], source_.dialect()))
                co_await run_alone();
            else
                co_await run_with_record();
            log_.debug("{}: {}: statement {} of {} is done", source_.name(), name_of(migration_), progress_.done,
                       statements_.size());
        }
    }

private:
    [[nodiscard]] const std::string& sql() const { return statements_[progress_.done]; }
    [[nodiscard]] std::string checksum_to(std::size_t count) const {
        return checksum_of(migration_, source_.dialect(), count);
    }

    /// Before anything runs: what cannot be run so, and an index that could not be found again after a crash.
    void check_statements() const {
        for (const std::string& statement : statements_) {
            if (source_.dialect() == db::Dialect::mariadb) {
                if (const auto refused = refusal_of(statement))
                    throw config_error(source_.name(), fmt::format("migration {}: {}", name_of(migration_), *refused));
                continue;
            }
            const auto index = concurrent_index(statement);
            if (index && index->empty())
                throw config_error(source_.name(),
                                   fmt::format("migration {}: name the index that is built "
                                               "concurrently; a crash would leave one that nobody finds",
                                               name_of(migration_)));
        }
    }

    db::Task<void> find_progress() {
        db::Session& session = guard_.session();
        co_await make_progress_table(session);
        const auto found = co_await read_progress(session, migration_);
        if (!found) {
            std::vector<db::Statement> first;
            first.push_back(first_progress(migration_, source_.dialect()));
            co_await session.run(std::move(first));
            progress_.checksum = checksum_to(0);
            co_return;
        }
        if (auto ok = check_progress(migration_, source_.dialect(), *found); !ok)
            throw config_error(source_.name(), std::move(ok.error()));
        progress_ = *found;
        log_.info("{}: {} goes on after statement {} of {}", source_.name(), name_of(migration_), progress_.done,
                  statements_.size());
    }

    [[nodiscard]] Progress after_this() const {
        return {progress_.done + 1, false, checksum_to(progress_.done + 1), {}};
    }

    /// The statement and its record commit together.
    db::Task<void> run_with_record() {
        const Progress next = after_this();
        std::vector<db::Statement> both;
        both.push_back(db::statement(sql()));
        both.push_back(change_progress(migration_, progress_.done, next));
        const auto body = [&](db::UnitOfWork& unit) -> db::Task<void> {
            const std::vector<db::Result> results = co_await unit.run(both);
            check_ours(results.at(1));
        };
        const db::TransactionOptions options;
        try {
            co_await source_.transaction(options, body);
        } catch (const db::Error& error) {
            throw located(error);
        }
        progress_ = next;
    }

    db::Task<void> run_alone() {
        db::Session& session = guard_.session();
        const bool resumed = progress_.begun;
        bool happened = false;
        if (resumed && !core::mutant("migrate_repeats_interrupted_statement"))
            happened = co_await has_happened(session, sql(), progress_.trace);
        if (!happened) {
            if (!resumed) co_await mark_begun();
            log_.debug("{}: {}: statement {} begins", source_.name(), name_of(migration_), progress_.done + 1);
            co_await execute(resumed);
            log_.debug("{}: {}: statement {} ended", source_.name(), name_of(migration_), progress_.done + 1);
        }
        co_await change_to(after_this());
    }

    db::Task<void> mark_begun() {
        Progress next = progress_;
        next.begun = true;
        next.checksum = checksum_to(progress_.done + 1);
        next.trace = co_await trace_of(guard_.session());
        co_await change_to(std::move(next));
    }

    db::Task<void> execute(bool resumed) {
        db::Session& session = guard_.session();
        std::exception_ptr failure;
        bool certain = false;
        bool leaves_half = false;
        try {
            co_await session.query("select 1");  // PostgreSQL's driver may have tidying to send along, which refuses
            co_await session.query(sql());
            co_await confirm(session, sql());
        } catch (const db::Error& error) {
            const bool was_there = says_done(error, source_.dialect());
            if (resumed && was_there) co_return;
            certain = is_certain(error.kind());
            leaves_half = !error.details().code.empty() && !was_there;
            failure = std::make_exception_ptr(located(error));
        }
        if (!failure) co_return;
        if (certain) co_await take_back(leaves_half);
        std::rethrow_exception(failure);
    }

    /// The statement has failed for certain: it is not begun any more, so its text may be corrected.
    db::Task<void> take_back(bool leaves_half) {
        const std::string no_trace;
        if (leaves_half && source_.dialect() == db::Dialect::postgres)
            co_await has_happened(guard_.session(), sql(), no_trace);
        Progress next = progress_;
        next.begun = false;
        next.checksum = checksum_to(progress_.done);
        next.trace.clear();
        co_await change_to(std::move(next));
    }

    db::Task<void> change_to(Progress next) {
        std::vector<db::Statement> change;
        change.push_back(change_progress(migration_, progress_.done, next));
        const std::vector<db::Result> results = co_await guard_.session().run(std::move(change));
        check_ours(results.at(0));
        progress_ = std::move(next);
    }

    void check_ours(const db::Result& result) const {
        if (result.affected == 1) return;
        db::ErrorDetails details;
        details.source = source_.name();
        details.message = "another program went on with this migration; the lock was lost with its connection";
        throw db::Error(db::ErrorKind::connection, std::move(details));
    }

    [[nodiscard]] db::Error located(const db::Error& error) const {
        db::ErrorDetails details = error.details();
        details.message = fmt::format("statement {} of {}; those before it stay, correct it and run again: {}",
                                      progress_.done + 1, statements_.size(), details.message);
        return {error.kind(), std::move(details), std::make_exception_ptr(error)};
    }

    db::DataSource& source_;
    const Migration& migration_;
    const std::vector<std::string>& statements_;
    core::Logger log_;
    Guard& guard_;
    Progress progress_;
};

/// Under the lock: what `all[index]` still needs, and its row in the ledger.
db::Task<Step> run_guarded(db::DataSource& source, const std::vector<Migration>& all, std::size_t index,
                           core::Logger log, Guard& guard) {
    const auto began = std::chrono::steady_clock::now();
    co_await make_ledger(guard.session());
    const std::vector<Applied> ledger = co_await read_ledger(guard.session());
    Step step = plan_or_throw(all, ledger, source)[index];
    if (step.state == StepState::applied_before) {
        co_await guard.let_go();
        co_return step;
    }
    StepByStep steps(source, all[index], log, guard);
    co_await steps.run();
    step.duration = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
    std::vector<db::Statement> last;
    last.push_back(record_of(all[index], source.dialect(), step.duration));
    last.push_back(forget_progress(all[index]));
    co_await guard.finish(std::move(last));
    step.state = StepState::applied_now;
    co_return step;
}

}  // namespace

db::Task<Step> run_stepwise(db::DataSource& source, const std::vector<Migration>& all, std::size_t index,
                            core::Logger log, std::chrono::milliseconds wait) {
    const std::unique_ptr<Guard> guard = co_await take_guard(source, wait);
    std::exception_ptr error;
    Step step;
    try {
        step = co_await run_guarded(source, all, index, log, *guard);
    } catch (...) {  // rethrown below, once the lock is let go
        error = std::current_exception();
    }
    if (!error) co_return step;
    // After a cancellation every await would throw, and the lock would stay with its connection.
    const bool throws = co_await boost::asio::this_coro::throw_if_cancelled();
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    co_await guard->let_go();
    co_await boost::asio::this_coro::throw_if_cancelled(throws);
    std::rethrow_exception(error);
}

}  // namespace sluice::migrate::internal
