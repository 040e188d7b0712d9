// The servers that tools/servers started for this run.
#pragma once

#include <string>

namespace sluice::contract {

/// The value of `name` in the file that SLUICE_TEST_SERVERS names; ends the program with what to do if there is none.
[[nodiscard]] std::string server_address(const std::string& name);

}  // namespace sluice::contract
