// Applies migrations once per database, whatever the number of processes that start together.
//
//     migrate::Runner runner({shop_migrations(), outbox::migrations()}, log);
//     const migrate::Report report = co_await runner.run(*source);
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/core/log.hpp"
#include "sluice/db/data_source.hpp"
#include "sluice/db/registry.hpp"
#include "sluice/migrate/migration.hpp"

namespace sluice::migrate {

struct Settings {
    std::chrono::milliseconds lock_wait{30'000};  ///< for another process that migrates the same database
    std::uint32_t concurrency = 4;                ///< databases at once in `run_all`
};

enum class StepState : std::uint8_t { applied_now, applied_before, pending };

struct Step {
    std::string module;
    int version = 0;
    std::string name;
    StepState state = StepState::pending;
    std::chrono::milliseconds duration{0};
};

/// What happened to one database. `error` is null unless it failed; the steps before the failure stay applied.
struct Report {
    std::string source;
    std::vector<Step> steps;
    std::exception_ptr error;
};

/// A set of migrations in the order given, by module then version. Thread-safe once built.
class Runner {
public:
    /// Throws db::Error `config` for a version that is missing or twice in a module.
    Runner(std::vector<std::vector<Migration>> modules, core::Logger log, Settings settings = {});
    ~Runner();

    /// Applies what is missing, each in a transaction of its own with its ledger row. Throws `config`, with one line
    /// that says what to do, on a checksum that differs, a gap in the ledger, or a version newer than this program.
    db::Task<Report> run(db::DataSource& source);
    /// What `run` would do; changes nothing.
    db::Task<Report> plan(db::DataSource& source);
    /// Plan plus verification of every applied checksum; throws as `run` does.
    db::Task<Report> verify(db::DataSource& source);
    /// `run` on every source of the registry; a broken one does not stop the others, its error is in its report.
    db::Task<std::vector<Report>> run_all(const db::DataSourceRegistry& registry);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace sluice::migrate
