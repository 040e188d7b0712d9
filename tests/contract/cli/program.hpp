// The program `sluice`, run to its end.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace sluice::contract {

struct Ended {
    int code = -1;
    std::string out;
    std::string err;
};

/// Runs it with these words; of our environment variables only `environment` is set.
[[nodiscard]] Ended run_sluice(const std::vector<std::string>& words,
                               const std::map<std::string, std::string>& environment = {});

/// PASSWORD of "postgres://user:PASSWORD@host:port/database".
[[nodiscard]] std::string password_of(const std::string& dsn);

}  // namespace sluice::contract
