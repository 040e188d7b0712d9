#include "cli/doctor_command.hpp"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cli/examination.hpp"
#include "cli/sources.hpp"
#include "sluice/core/json.hpp"
#include "sluice/runtime/run_task.hpp"

namespace sluice::cli {

/// What `--json` prints; docs/cli.md describes the members.
struct CheckLine {
    std::string check;
    std::string verdict;
    std::string text;
};
BOOST_DESCRIBE_STRUCT(CheckLine, (), (check, verdict, text))

struct PatientLines {
    std::string name;
    std::optional<std::string> database;
    bool ok = false;
    std::vector<CheckLine> checks;
};
BOOST_DESCRIBE_STRUCT(PatientLines, (), (name, database, ok, checks))

struct DoctorOutput {
    std::string command = "doctor";
    bool ok = false;
    std::vector<PatientLines> sources;
};
BOOST_DESCRIBE_STRUCT(DoctorOutput, (), (command, ok, sources))

namespace {

std::string_view word_of(Verdict verdict) {
    switch (verdict) {
        case Verdict::warning:
            return "warning";
        case Verdict::error:
            return "error";
        case Verdict::ok:
            break;
    }
    return "ok";
}

std::vector<Finding> findings_of(const OpenedSource& opened, runtime::Shard& shard) {
    if (!opened.source) return {{"connect", Verdict::error, opened.error}};
    try {
        return runtime::run_task(shard, examine(*opened.source));
    } catch (const std::exception& error) {
        return {{"connect", Verdict::error, error.what()}};
    }
}

PatientLines lines_of(const OpenedSource& opened, runtime::Shard& shard) {
    PatientLines lines{opened.name, {}, true, {}};
    if (opened.source) lines.database = cli::to_string(opened.source->dialect());
    for (const Finding& finding : findings_of(opened, shard)) {
        lines.ok = lines.ok && finding.verdict != Verdict::error;
        lines.checks.push_back({finding.check, std::string(word_of(finding.verdict)), finding.text});
    }
    return lines;
}

void print(const DoctorOutput& output) {
    std::size_t warnings = 0;
    std::size_t errors = 0;
    for (const PatientLines& source : output.sources) {
        fmt::print("{}{}\n", source.name, source.database ? " (" + *source.database + ")" : "");
        for (const CheckLine& line : source.checks) {
            warnings += line.verdict == "warning" ? 1 : 0;
            errors += line.verdict == "error" ? 1 : 0;
            fmt::print("  {:<8} {}: {}\n", line.verdict, line.check, printable(line.text));
        }
    }
    fmt::print("doctor: {} databases, {} warnings, {} errors\n", output.sources.size(), warnings, errors);
}

}  // namespace

int run_doctor(const Options& options) {
    OpenSources sources(options.sources, false);
    DoctorOutput output;
    for (const OpenedSource& opened : sources.all())
        output.sources.push_back(lines_of(opened, sources.shard()));
    output.ok = std::ranges::all_of(output.sources, &PatientLines::ok);
    if (options.json)
        fmt::print("{}\n", core::json::encode(output));
    else
        print(output);
    return output.ok ? kDone : kFailed;
}

}  // namespace sluice::cli
