#include "cli/options.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "sluice/core/config.hpp"

namespace sluice::cli {
namespace {

namespace config = core::config;

constexpr std::string_view kCommands = R"(Migrations and checks of the databases that Sluice works with.

  sluice migrate plan     what `up` would do, with its statements; changes nothing
  sluice migrate up       applies what is missing; any number of programs may do it at once
  sluice migrate status   which steps each database has
  sluice migrate verify   is everything applied, and as it is here?
  sluice doctor           can each database be reached, and does anything about it need attention?
  sluice help             this text; also --help
  sluice version          the version; also --version

Options, strongest first: flags (--name=value or --name value), the environment, the TOML file that --config=PATH
or SLUICE_CONFIG names.

)";

constexpr std::string_view kExitCodes = R"(
Exit codes
  0  done; nothing is wrong
  1  a database could not be reached, a migration failed or differs, or the doctor found an error
  2  the command line or the configuration is wrong; no database was touched
  3  steps are pending (migrate plan, migrate verify)
)";

struct Keys {
    explicit Keys(config::Schema& schema)
        : dsn(schema.secret("dsn",
                            "One database, called `main`: sqlite:PATH, postgres://user:password@host/database or "
                            "mariadb://user:password@host/database. "
                            "Other users of the machine see flags: prefer the file or the environment")),
          sources(schema.secret("sources.*.dsn", "One of several databases, by the name that stands for *")),
          only(schema.option<std::vector<std::string>>("only", {}, "Of the databases just these, by name")),
          folders(schema.optional<std::string>("modules.*.folder",
                                               "Folder with the migrations of the module whose name stands for *")),
          own(schema.option("with_sluice", false, "Also the tables of Sluice itself: outbox and projections")),
          lock_wait(schema.option<std::chrono::milliseconds>("lock_wait", std::chrono::seconds(30),
                                                             "For another program that migrates the same database")),
          concurrency(schema.option<std::uint32_t>("concurrency", 4, {1, 64}, "Databases that `up` migrates at once")),
          json(schema.option("json", false, "One JSON object on standard output, for programs")) {}

    config::Key<std::optional<std::string>> dsn;
    config::Key<std::optional<std::string>> sources;
    config::Key<std::vector<std::string>> only;
    config::Key<std::optional<std::string>> folders;
    config::Key<bool> own;
    config::Key<std::chrono::milliseconds> lock_wait;
    config::Key<std::uint32_t> concurrency;
    config::Key<bool> json;
};

Ending usage(std::string_view text) {
    return {kUsage, fmt::format("sluice: {}\n`sluice help` shows what there is\n", text)};
}

bool takes_no_value(std::string_view flag) {
    constexpr std::array<std::string_view, 4> kSwitches{"--json", "--with_sluice", "--help", "--version"};
    return flag.find('=') != std::string_view::npos || std::ranges::find(kSwitches, flag) != kSwitches.end();
}

struct Words {
    std::vector<std::string> command;
    std::vector<std::string> flags;  ///< each with its value behind `=`
};

Words sort_out(int count, const char* const* given) {
    Words words;
    for (int i = 1; i < count; ++i) {
        std::string word(given[i]);
        if (!word.starts_with("--")) {
            words.command.push_back(std::move(word));
            continue;
        }
        const bool has_next = i + 1 < count && !std::string_view(given[i + 1]).starts_with("--");
        if (!takes_no_value(word) && has_next) {
            word += '=';
            word += given[++i];
        }
        words.flags.push_back(std::move(word));
    }
    return words;
}

std::optional<Action> action_of(const std::vector<std::string>& command) {
    static const std::map<std::vector<std::string>, Action> kActions{{{"migrate", "plan"}, Action::plan},
                                                                     {{"migrate", "up"}, Action::up},
                                                                     {{"migrate", "status"}, Action::status},
                                                                     {{"migrate", "verify"}, Action::verify},
                                                                     {{"doctor"}, Action::doctor}};
    const auto found = kActions.find(command);
    return found == kActions.end() ? std::nullopt : std::optional(found->second);
}

/// Help and version, whatever else is said.
std::optional<Ending> answer_at_once(const Words& words, const config::Schema& schema) {
    const auto says = [&words](const char* flag, const char* command) {
        const bool as_command = !words.command.empty() && words.command.front() == command;
        return as_command || std::ranges::find(words.flags, flag) != words.flags.end();
    };
    if (says("--help", "help")) return Ending{kDone, fmt::format("{}{}{}", kCommands, schema.help(), kExitCodes)};
    if (says("--version", "version")) return Ending{kDone, fmt::format("sluice {}\n", SLUICE_VERSION)};
    if (words.command.empty()) return usage("say what to do: migrate plan, up, status or verify, or doctor");
    if (!action_of(words.command)) return usage(fmt::format("there is no command '{}'", fmt::join(words.command, " ")));
    return std::nullopt;
}

/// The databases that are asked for, or the name that is none of them.
std::expected<std::vector<SourceOption>, Ending> sources_of(const config::Settings& settings, const Keys& keys) {
    std::map<std::string, std::string> known;
    if (const auto dsn = settings.get(keys.dsn)) known.emplace("main", *dsn);
    for (const std::string& name : settings.names("sources")) {
        const auto dsn = settings.get(keys.sources, name);
        if (dsn && !known.emplace(name, *dsn).second)
            return std::unexpected(
                usage("`main` is the name of the database that --dsn gives; call the other otherwise"));
    }
    if (known.empty())
        return std::unexpected(
            usage("no database is named: give --dsn, SLUICE_DSN, --dsn_file or a table [sources.NAME]"));
    const std::vector<std::string> only = settings.get(keys.only);
    std::vector<SourceOption> sources;
    for (const std::string& name : only) {
        const auto found = known.find(name);
        if (found == known.end()) return std::unexpected(usage(fmt::format("--only: there is no database '{}'", name)));
        sources.push_back({name, found->second});
    }
    if (!only.empty()) return sources;
    for (const auto& [name, dsn] : known)
        sources.push_back({name, dsn});
    return sources;
}

}  // namespace

std::expected<Options, Ending> parse(int count, const char* const* given) {
    config::Schema schema;
    const Keys keys(schema);
    const Words words = sort_out(count, given);
    if (auto ending = answer_at_once(words, schema)) return std::unexpected(std::move(*ending));
    std::vector<const char*> flags{""};
    for (const std::string& flag : words.flags)
        flags.push_back(flag.c_str());
    const auto settings = config::read(schema, static_cast<int>(flags.size()), flags.data());
    if (!settings) {
        std::string lines;
        for (const config::Problem& problem : settings.error())
            lines += (lines.empty() ? "" : "\nsluice: ") + to_string(problem);
        return std::unexpected(usage(lines));
    }
    auto sources = sources_of(*settings, keys);
    if (!sources) return std::unexpected(std::move(sources.error()));
    Options options;
    options.action = *action_of(words.command);
    options.sources = std::move(*sources);
    for (const std::string& name : settings->names("modules"))
        options.modules.push_back({name, settings->get(keys.folders, name).value_or("")});
    options.own_tables = settings->get(keys.own);
    options.json = settings->get(keys.json);
    options.lock_wait = settings->get(keys.lock_wait);
    options.concurrency = settings->get(keys.concurrency);
    if (options.action != Action::doctor && options.modules.empty() && !options.own_tables)
        return std::unexpected(
            usage("no migrations are named: give --modules.NAME.folder=PATH, --with_sluice or both"));
    return options;
}

}  // namespace sluice::cli
