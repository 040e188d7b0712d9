// Values as the three sources hold them, before anyone knows what type they should have.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sluice/core/config/settings.hpp"

namespace sluice::core::config {

/// What stood in a source. Flags and the environment only have text.
struct Given {
    std::string name;  ///< full option name, `a.b.c`
    std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>> value;
    std::string where;
    bool typed = false;  ///< from TOML, where a number is not a text
};

/// The leaves of a TOML text. A text that is no TOML is one problem.
[[nodiscard]] std::vector<Given> from_toml(const std::string& file_name, std::string_view text,
                                           std::vector<Problem>& problems);
/// The variables that begin with SLUICE_, except those left out by the schema.
[[nodiscard]] std::vector<Given> from_environment(const Schema& schema,
                                                  const std::map<std::string, std::string>& environment);
[[nodiscard]] std::vector<Given> from_arguments(const std::vector<std::string>& arguments,
                                                std::vector<Problem>& problems);

/// Turns what was given into the option's type, or says what was expected.
[[nodiscard]] std::expected<Value, std::string> convert(const Option& option, const Given& given);

/// The one of `names` with the fewest edits to `wanted`; empty if none is close.
[[nodiscard]] std::string nearest(std::string_view wanted, const std::vector<std::string>& names);

}  // namespace sluice::core::config
