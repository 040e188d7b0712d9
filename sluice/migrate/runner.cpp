#include "sluice/migrate/runner.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "sluice/db/error.hpp"
#include "sluice/migrate/internal/ledger.hpp"
#include "sluice/migrate/internal/plan.hpp"
#include "sluice/runtime/scope.hpp"
#include "sluice/runtime/wake.hpp"

namespace sluice::migrate {
namespace {

using internal::Applied;

constexpr std::chrono::milliseconds kLockPause{50};

db::Error config_error(std::string_view source, std::string text) {
    return {db::ErrorKind::config,
            {.source = std::string(source), .code = {}, .message = std::move(text), .fingerprint = {}}};
}

std::vector<Step> plan_or_throw(const std::vector<Migration>& migrations, const std::vector<Applied>& ledger,
                                const db::DataSource& source) {
    auto plan = internal::make_plan(migrations, ledger, source.dialect());
    if (!plan) throw config_error(source.name(), std::move(plan.error()));
    return std::move(*plan);
}

/// Runs one migration unless another process did meanwhile: the ledger is read again under the lock.
db::Task<Step> apply_in(db::UnitOfWork& unit, const std::vector<Migration>& all, std::size_t index,
                        const db::DataSource& source) {
    co_await internal::ensure_ledger(unit);
    const std::vector<Applied> ledger = co_await internal::read_ledger(unit);
    Step step = plan_or_throw(all, ledger, source)[index];
    if (step.state == StepState::applied_before) co_return step;
    const Migration& migration = all[index];
    const auto started = std::chrono::steady_clock::now();
    for (const std::string& text : migration.statements.at(unit.dialect()))
        co_await unit.execute(text);
    step.duration = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started);
    step.state = StepState::applied_now;
    co_await internal::record(unit, migration, step.duration);
    co_return step;
}

}  // namespace

struct Runner::State {
    db::Task<Step> apply(db::DataSource& source, std::size_t index) const;
    db::Task<std::vector<Step>> planned(db::DataSource& source) const;

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

db::Task<Step> Runner::State::apply(db::DataSource& source, std::size_t index) const {
    const auto give_up = std::chrono::steady_clock::now() + settings.lock_wait;
    while (true) {
        std::exception_ptr busy;
        try {
            auto body = [&](db::UnitOfWork& unit) -> db::Task<Step> {
                return apply_in(unit, migrations, index, source);
            };
            co_return co_await source.transaction({}, body);
        } catch (const db::Error& e) {
            if (e.kind() != db::ErrorKind::serialization || std::chrono::steady_clock::now() >= give_up) throw;
            busy = std::current_exception();
        }
        co_await runtime::sleep_for(kLockPause);  // another process migrates
    }
}

db::Task<std::vector<Step>> Runner::State::planned(db::DataSource& source) const {
    const auto connection = co_await source.acquire(db::AccessIntent::read);
    const std::vector<Applied> ledger = co_await internal::read_ledger(*connection);
    co_return plan_or_throw(migrations, ledger, source);
}

db::Task<Report> Runner::run(db::DataSource& source) {
    Report report{std::string(source.name()), {}, nullptr};
    report.steps = co_await state_->planned(source);
    for (std::size_t i = 0; i < report.steps.size(); ++i) {
        if (report.steps[i].state != StepState::pending) continue;
        report.steps[i] = co_await state_->apply(source, i);
        const Step& step = report.steps[i];
        if (step.state == StepState::applied_now)
            state_->log.info("{}: applied {} {:04} {} in {} ms", report.source, step.module, step.version, step.name,
                             step.duration.count());
    }
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

namespace {

/// One of the workers of `run_all`: takes the next source until there is none.
struct Walk {
    std::vector<std::shared_ptr<db::DataSource>> sources;
    std::vector<Report> reports;
    std::size_t next = 0;
};

db::Task<void> walk_on(Runner& runner, Walk& walk) {
    while (walk.next < walk.sources.size()) {
        const std::size_t mine = walk.next++;
        db::DataSource& source = *walk.sources[mine];
        Report report{std::string(source.name()), {}, nullptr};
        try {
            report = co_await runner.run(source);
        } catch (const std::exception&) {
            report.error = std::current_exception();
        }
        walk.reports[mine] = std::move(report);
    }
}

}  // namespace

db::Task<std::vector<Report>> Runner::run_all(const db::DataSourceRegistry& registry) {
    Walk walk;
    walk.sources = registry.iter();
    walk.reports.resize(walk.sources.size());
    runtime::TaskScope scope(*runtime::Shard::current(), state_->log);
    for (std::uint32_t i = 0; i < std::min<std::size_t>(state_->settings.concurrency, walk.sources.size()); ++i)
        scope.spawn("migrate", walk_on(*this, walk));
    co_await scope.join();
    co_return std::move(walk.reports);
}

}  // namespace sluice::migrate
