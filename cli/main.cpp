// The program `sluice`.
#include <cstdio>
#include <exception>

#include <fmt/format.h>

#include "cli/doctor_command.hpp"
#include "cli/migrate_command.hpp"
#include "cli/options.hpp"
#include "cli/sources.hpp"
#include "sluice/db/error.hpp"

int main(int count, char** words) {
    using namespace sluice;
    try {
        const auto options = cli::parse(count, words);
        if (!options) {
            fmt::print(options.error().code == cli::kDone ? stdout : stderr, "{}", options.error().text);
            return options.error().code;
        }
        return options->action == cli::Action::doctor ? cli::run_doctor(*options) : cli::run_migrate(*options);
    } catch (const db::Error& error) {
        fmt::print(stderr, "sluice: {}\n", cli::printable(error.what()));
        return error.kind() == db::ErrorKind::config ? cli::kUsage : cli::kFailed;
    } catch (const std::exception& error) {
        fmt::print(stderr, "sluice: {}\n", error.what());
        return cli::kFailed;
    }
}
