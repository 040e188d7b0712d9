// The private servers that tools/servers started for this run of the tests.
//
//     testing::server_address("postgres.app")     postgres://…
#pragma once

#include <string>

namespace sluice::testing {

/// The value of `name` in the file that SLUICE_TEST_SERVERS names. Throws std::runtime_error saying what to do when no
/// such server runs.
[[nodiscard]] std::string server_address(const std::string& name);

}  // namespace sluice::testing
