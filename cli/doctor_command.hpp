// `sluice doctor`.
#pragma once

#include "cli/options.hpp"

namespace sluice::cli {

/// Prints what was found and answers the exit code: an error of any database fails it, a warning does not. Throws
/// db::Error `config` for connection strings that cannot be read.
int run_doctor(const Options& options);

}  // namespace sluice::cli
