// `sluice migrate plan | up | status | verify`.
#pragma once

#include "cli/options.hpp"

namespace sluice::cli {

/// Prints the report and answers the exit code. Throws db::Error `config` for connection strings and folders that
/// cannot be read.
int run_migrate(const Options& options);

}  // namespace sluice::cli
