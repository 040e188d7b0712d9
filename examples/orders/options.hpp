// What the command line of the shop says.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sluice/app/app.hpp"

namespace orders {

struct Options {
    sluice::app::Settings settings;
    std::vector<std::string> suspended;
    bool verify = false;
    bool quiet = false;
};

/// Reads the words into `options`. The program's exit code when it has to end at once: help was asked for, or a word
/// was wrong, and what there is to say has been said.
[[nodiscard]] std::optional<int> parse(int count, char** words, Options& options);

}  // namespace orders
