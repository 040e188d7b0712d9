// What the words of the command line, the environment and the configuration file ask for.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <vector>

namespace sluice::cli {

enum class Action : std::uint8_t { plan, up, status, verify, doctor };

/// The exit codes; docs/cli.md lists them.
enum ExitCode : int { kDone = 0, kFailed = 1, kUsage = 2, kPending = 3 };

struct SourceOption {
    std::string name;
    std::string dsn;  ///< never printed
};

struct ModuleOption {
    std::string name;
    std::string folder;
};

struct Options {
    Action action = Action::doctor;
    std::vector<SourceOption> sources;
    std::vector<ModuleOption> modules;
    bool own_tables = false;
    bool json = false;
    std::chrono::milliseconds lock_wait{0};
    std::uint32_t concurrency = 1;
};

/// The program ends at once: help was asked for, or something is wrong.
struct Ending {
    int code = kDone;
    std::string text;  ///< for standard output when the code is 0, else for standard error
};

/// Reads the process's environment and the file that `--config` or SLUICE_CONFIG names.
[[nodiscard]] std::expected<Options, Ending> parse(int count, const char* const* words);

}  // namespace sluice::cli
