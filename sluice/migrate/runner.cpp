#include "sluice/migrate/runner.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>
#include <boost/asio/this_coro.hpp>

#include "sluice/core/clock.hpp"
#include "sluice/db/error.hpp"
#include "sluice/migrate/internal/checked_plan.hpp"
#include "sluice/migrate/internal/ledger.hpp"
#include "sluice/migrate/internal/plan.hpp"
#include "sluice/migrate/internal/statement_kind.hpp"
#include "sluice/migrate/internal/stepwise.hpp"
#include "sluice/runtime/scope.hpp"
#include "sluice/runtime/shard.hpp"
#include "sluice/runtime/wake.hpp"

namespace sluice::migrate {
namespace {

using internal::Applied;
using internal::config_error;
using internal::plan_or_throw;

constexpr std::chrono::milliseconds kLockPause{50};

/// The migration's row in the ledger. COMMIT carries it along, because only then the duration is known and because
/// after a long migration SQLite's writer takes no other statement from the unit than that.
class LedgerRow final : public db::UnitAttachment {
public:
    LedgerRow(const Migration& migration, std::chrono::milliseconds& duration)
        : migration_(migration), duration_(duration) {}

    void mark() override {}
    void rollback_to_mark() override {}
    void release_mark() override {}
    std::vector<db::Statement> flush(db::UnitOfWork& unit) override {
        duration_ = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began_);
        return {internal::record_of(migration_, unit.dialect(), duration_)};
    }

private:
    const Migration& migration_;
    std::chrono::milliseconds& duration_;
    std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

std::chrono::milliseconds until(core::SteadyTime moment) {
    return std::chrono::ceil<std::chrono::milliseconds>(moment - std::chrono::steady_clock::now());
}

/// Runs one migration unless another process did meanwhile: the ledger is read again under the lock.
db::Task<void> apply_in(db::UnitOfWork& unit, const std::vector<Migration>& all, std::size_t index,
                        const db::DataSource& source, core::SteadyTime give_up, Step& step) {
    const std::vector<Applied> ledger = co_await internal::open_ledger(unit, until(give_up));
    step = plan_or_throw(all, ledger, source)[index];
    if (step.state == StepState::applied_before) co_return;
    const Migration& migration = all[index];
    unit.attachment<LedgerRow>(migration, step.duration);
    std::vector<db::Statement> statements;
    for (const std::string& text : migration.statements.at(unit.dialect()))
        statements.push_back(db::statement(text));
    co_await unit.run(std::move(statements));
    step.state = StepState::applied_now;
}

/// `error` as this step's: which migration, of which `kind`.
db::Error error_of(const Migration& migration, db::ErrorKind kind, const db::Error& error, std::string_view advice) {
    db::ErrorDetails details = error.details();
    details.message = fmt::format("migration {}: {}{}", internal::name_of(migration), advice, details.message);
    return {kind, std::move(details), std::current_exception()};
}

/// What the walkers of `run_all` share: each takes the next source until there is none.
struct Walk {
    std::vector<std::shared_ptr<db::DataSource>> sources;
    std::vector<Report> reports;
    std::size_t next = 0;
};

}  // namespace

struct Runner::State {
    /// Fills `report` as it goes, so that it tells what was applied before a failure.
    db::Task<void> run(db::DataSource& source, Report& report) const;
    db::Task<Step> apply(db::DataSource& source, std::size_t index) const;
    /// In one transaction, with its row of the ledger.
    db::Task<Step> apply_whole(db::DataSource& source, std::size_t index, core::SteadyTime give_up) const;
    db::Task<std::vector<Step>> planned(db::DataSource& source) const;
    db::Task<void> walk_on(Walk& walk) const;

    std::vector<Migration> migrations;
    core::Logger log;
    Settings settings;
};

Runner::Runner(std::vector<std::vector<Migration>> modules, core::Logger log, Settings settings)
    : state_(std::make_unique<State>()) {
    for (auto& module : modules)
        std::ranges::move(module, std::back_inserter(state_->migrations));
    state_->log = log.named("migrate");
    state_->settings = settings;
    if (auto ok = internal::check_versions(state_->migrations); !ok) throw config_error("", std::move(ok.error()));
    if (settings.concurrency == 0) throw config_error("", "migrate.concurrency: must be at least 1");
}

Runner::~Runner() = default;

db::Task<Step> Runner::State::apply_whole(db::DataSource& source, std::size_t index, core::SteadyTime give_up) const {
    Step step;
    const auto body = [&](db::UnitOfWork& unit) { return apply_in(unit, migrations, index, source, give_up, step); };
    db::TransactionOptions options;
    // A snapshot from before the wait for the lock would hide what the other program has done.
    if (source.dialect() == db::Dialect::postgres) options.isolation = db::Isolation::read_committed;
    co_await source.transaction(options, body);
    co_return step;
}

db::Task<Step> Runner::State::apply(db::DataSource& source, std::size_t index) const {
    const auto give_up = std::chrono::steady_clock::now() + settings.lock_wait;
    const Migration& migration = migrations[index];
    const bool stepwise = internal::runs_stepwise(migration, source.dialect());
    while (true) {
        try {
            Step step;
            if (stepwise) {
                step = co_await internal::run_stepwise(source, migrations, index, log, until(give_up));
            } else {
                step = co_await apply_whole(source, index, give_up);
            }
            co_return step;
        } catch (const db::Error& e) {
            if (e.kind() == db::ErrorKind::config) throw;
            if (e.kind() != db::ErrorKind::serialization) throw error_of(migration, e.kind(), e, "");
            if (std::chrono::steady_clock::now() >= give_up)
                throw error_of(migration, db::ErrorKind::timeout, e,
                               "another process holds the database; wait until it has finished or raise lock_wait: ");
        }
        co_await runtime::sleep_for(kLockPause);  // another process migrates
    }
}

db::Task<std::vector<Step>> Runner::State::planned(db::DataSource& source) const {
    const auto connection = co_await source.acquire(db::AccessIntent::read);
    const std::vector<Applied> ledger = co_await internal::read_ledger(*connection);
    co_return plan_or_throw(migrations, ledger, source);
}

db::Task<void> Runner::State::run(db::DataSource& source, Report& report) const {
    report.source = source.name();
    report.steps = co_await planned(source);
    for (std::size_t i = 0; i < report.steps.size(); ++i) {
        if (report.steps[i].state != StepState::pending) continue;
        report.steps[i] = co_await apply(source, i);
        const Step& step = report.steps[i];
        if (step.state == StepState::applied_now)
            log.info("{}: applied {} {:04} {} in {} ms", report.source, step.module, step.version, step.name,
                     step.duration.count());
    }
}

db::Task<Report> Runner::run(db::DataSource& source) {
    Report report;
    co_await state_->run(source, report);
    co_return report;
}

db::Task<Report> Runner::plan(db::DataSource& source) {
    Report report{std::string(source.name()), {}, nullptr};
    report.steps = co_await state_->planned(source);
    co_return report;
}

db::Task<Report> Runner::verify(db::DataSource& source) {
    Report report = co_await plan(source);
    const auto pending = std::ranges::find(report.steps, StepState::pending, &Step::state);
    if (pending != report.steps.end())
        throw config_error(report.source, fmt::format("{} {:04} {} is not applied; run the migrations", pending->module,
                                                      pending->version, pending->name));
    co_return report;
}

db::Task<void> Runner::State::walk_on(Walk& walk) const {
    while (walk.next < walk.sources.size()) {
        const std::size_t mine = walk.next++;
        Report& report = walk.reports[mine];
        try {
            co_await run(*walk.sources[mine], report);
        } catch (const std::exception&) {
            report.error = std::current_exception();
            log.error("{}: {}", report.source, core::describe(report.error));
        }
        const auto cancellation = co_await boost::asio::this_coro::cancellation_state;
        if (cancellation.cancelled() != boost::asio::cancellation_type::none) co_return;
    }
}

db::Task<std::vector<Report>> Runner::run_all(const db::DataSourceRegistry& registry) {
    Walk walk;
    walk.sources = registry.iter();
    walk.reports.resize(walk.sources.size());
    runtime::TaskScope scope(*runtime::Shard::current(), state_->log);
    const std::size_t walkers = std::min<std::size_t>(state_->settings.concurrency, walk.sources.size());
    for (std::size_t i = 0; i < walkers; ++i)
        scope.spawn("migrate", state_->walk_on(walk));
    co_await scope.join_or_cancel();
    co_return std::move(walk.reports);
}

}  // namespace sluice::migrate
