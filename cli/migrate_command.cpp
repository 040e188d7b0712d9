#include "cli/migrate_command.hpp"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "cli/sources.hpp"
#include "sluice/core/error.hpp"
#include "sluice/core/json.hpp"
#include "sluice/db/error.hpp"
#include "sluice/db/registry.hpp"
#include "sluice/migrate/folder.hpp"
#include "sluice/migrate/runner.hpp"
#include "sluice/outbox/outbox.hpp"
#include "sluice/projection/migrations.hpp"
#include "sluice/runtime/run_task.hpp"

namespace sluice::cli {

/// What `--json` prints; docs/cli.md describes the members.
struct StepLine {
    std::string module;
    int version = 0;
    std::string name;
    std::string state;
    std::optional<std::int64_t> duration_ms;
    std::optional<std::vector<std::string>> statements;
};
BOOST_DESCRIBE_STRUCT(StepLine, (), (module, version, name, state, duration_ms, statements))

struct SourceLines {
    std::string name;
    std::optional<std::string> database;
    bool ok = false;
    std::optional<std::string> error;
    std::vector<StepLine> steps;
};
BOOST_DESCRIBE_STRUCT(SourceLines, (), (name, database, ok, error, steps))

struct MigrateOutput {
    std::string command;
    bool ok = false;
    std::vector<SourceLines> sources;
};
BOOST_DESCRIBE_STRUCT(MigrateOutput, (), (command, ok, sources))

namespace {

using Modules = std::vector<std::vector<migrate::Migration>>;

Modules modules_of(const Options& options) {
    Modules modules;
    if (options.own_tables) {
        modules.push_back(outbox::migrations());
        modules.push_back(projection::migrations());
    }
    for (const ModuleOption& module : options.modules)
        modules.push_back(migrate::read_folder(module.name, module.folder));
    return modules;
}

std::string_view command_of(Action action) {
    switch (action) {
        case Action::plan:
            return "migrate plan";
        case Action::up:
            return "migrate up";
        case Action::status:
            return "migrate status";
        default:
            return "migrate verify";
    }
}

std::string_view to_string(migrate::StepState state) {
    switch (state) {
        case migrate::StepState::applied_now:
            return "applied_now";
        case migrate::StepState::applied_before:
            return "applied_before";
        case migrate::StepState::pending:
            break;
    }
    return "pending";
}

std::vector<std::string> statements_of(const Modules& modules, const migrate::Step& step, db::Dialect dialect) {
    for (const auto& module : modules) {
        for (const migrate::Migration& migration : module) {
            if (migration.module == step.module && migration.version == step.version)
                return migration.statements.at(dialect);
        }
    }
    return {};
}

class MigrateCommand {
public:
    explicit MigrateCommand(const Options& options)
        : options_(options),
          modules_(modules_of(options)),
          runner_(modules_, {}, {.lock_wait = options.lock_wait, .concurrency = options.concurrency}),
          sources_(options.sources, options.action == Action::up) {
        output_.command = command_of(options.action);
    }

    int run() {
        const std::vector<migrate::Report> reports = options_.action == Action::up ? migrated() : planned();
        for (const OpenedSource& opened : sources_.all())
            add(opened, reports);
        output_.ok = std::ranges::all_of(output_.sources, &SourceLines::ok);
        if (options_.json)
            fmt::print("{}\n", core::json::encode(output_));
        else
            print();
        if (!output_.ok) return kFailed;
        const bool asks = options_.action == Action::plan || options_.action == Action::verify;
        return asks && pending_ > 0 ? kPending : kDone;
    }

private:
    std::vector<migrate::Report> migrated() {
        db::DataSourceRegistry registry;
        for (const OpenedSource& opened : sources_.all()) {
            if (opened.source) registry.add(opened.source);
        }
        return runtime::run_task(sources_.shard(), runner_.run_all(registry));
    }

    std::vector<migrate::Report> planned() {
        std::vector<migrate::Report> reports;
        for (const OpenedSource& opened : sources_.all()) {
            if (!opened.source) continue;
            migrate::Report report{opened.name, {}, nullptr};
            try {
                report = runtime::run_task(sources_.shard(), runner_.plan(*opened.source));
            } catch (const std::exception&) {
                report.error = std::current_exception();
            }
            reports.push_back(std::move(report));
        }
        return reports;
    }

    void add(const OpenedSource& opened, const std::vector<migrate::Report>& reports) {
        SourceLines lines{opened.name, {}, false, {}, {}};
        if (!opened.source) {
            lines.error = opened.error;
            output_.sources.push_back(std::move(lines));
            return;
        }
        lines.database = cli::to_string(opened.source->dialect());
        const auto report = std::ranges::find(reports, opened.name, &migrate::Report::source);
        for (const migrate::Step& step : report->steps)
            lines.steps.push_back(line_of(step, opened.source->dialect()));
        lines.ok = report->error == nullptr;
        if (report->error) lines.error = text_of(report->error);
        output_.sources.push_back(std::move(lines));
    }

    StepLine line_of(const migrate::Step& step, db::Dialect dialect) {
        StepLine line{step.module, step.version, step.name, std::string(to_string(step.state)), {}, {}};
        pending_ += step.state == migrate::StepState::pending ? 1 : 0;
        if (step.state == migrate::StepState::applied_now) line.duration_ms = step.duration.count();
        if (step.state == migrate::StepState::pending && options_.action == Action::plan)
            line.statements = statements_of(modules_, step, dialect);
        return line;
    }

    static std::string text_of(const std::exception_ptr& error) {
        try {
            std::rethrow_exception(error);
        } catch (const std::exception& failure) {
            return failure.what();
        }
    }

    void print() const {
        for (const SourceLines& source : output_.sources) {
            fmt::print("{}{}\n", source.name, source.database ? " (" + *source.database + ")" : "");
            std::size_t unchanged = 0;
            for (const StepLine& step : source.steps)
                unchanged += print_step(step) ? 0 : 1;
            if (unchanged > 0)
                fmt::print("  {} {} before\n", unchanged, unchanged == 1 ? "step was applied" : "steps were applied");
            if (source.error) fmt::print("  FAILED   {}\n", printable(*source.error));
        }
        const auto failed = std::ranges::count(output_.sources, false, &SourceLines::ok);
        fmt::print("{}: {} of {} databases in order, {} steps pending\n", output_.command,
                   static_cast<std::ptrdiff_t>(output_.sources.size()) - failed, output_.sources.size(), pending_);
    }

    /// False for a step that only `status` and `verify` show.
    bool print_step(const StepLine& step) const {
        const std::string name = fmt::format("{} {:04} {}", step.module, step.version, step.name);
        if (step.state == "applied_before") {
            if (options_.action == Action::plan || options_.action == Action::up) return false;
            fmt::print("  applied  {}\n", name);
        } else if (step.state == "applied_now") {
            fmt::print("  applied  {} in {} ms\n", name, *step.duration_ms);
        } else {
            fmt::print("  pending  {}\n", name);
        }
        for (const std::string& statement : step.statements.value_or(std::vector<std::string>()))
            fmt::print("{};\n", indented(statement));
        return true;
    }

    static std::string indented(std::string_view statement) {
        std::string text = "             ";
        for (const char c : statement) {
            text += c;
            if (c == '\n') text += "             ";
        }
        return text;
    }

    const Options& options_;
    Modules modules_;
    migrate::Runner runner_;
    OpenSources sources_;
    MigrateOutput output_;
    std::size_t pending_ = 0;
};

}  // namespace

int run_migrate(const Options& options) {
    return MigrateCommand(options).run();
}

}  // namespace sluice::cli
