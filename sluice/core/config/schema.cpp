#include "sluice/core/config/schema.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "sluice/core/assert.hpp"

namespace sluice::core::config {
namespace {

bool is_well_formed(std::string_view name) {
    bool at_start = true;
    int stars = 0;
    for (const char c : name) {
        if (c == '.') {
            if (at_start) return false;
            at_start = true;
            continue;
        }
        const bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '*';
        if (!letter) return false;
        if (c == '*') ++stars;
        at_start = false;
    }
    return !at_start && stars <= 1 && name.find("__") == std::string_view::npos;
}

}  // namespace

std::size_t Schema::add(Option option) {
    SLUICE_ASSERT(is_well_formed(option.name), "'{}' is no name for an option", option.name);
    for (const Option& other : options_)
        SLUICE_ASSERT(other.name != option.name, "the option '{}' is declared twice", option.name);
    options_.push_back(std::move(option));
    return options_.size() - 1;
}

Key<std::string> Schema::choice(std::string name, std::string fallback, std::vector<std::string> choices,
                                std::string help) {
    Option made = base<std::string>(std::move(name), std::move(help));
    made.fallback = Value(std::move(fallback));
    made.choices = std::move(choices);
    return Key<std::string>{add(std::move(made))};
}

Key<std::optional<std::string>> Schema::secret(std::string name, std::string help) {
    Option made = base<std::string>(std::move(name), std::move(help));
    made.secret = true;
    Option from_file = base<std::string>(made.name + "_file", "File that holds " + made.name);
    const std::size_t index = add(std::move(made));
    add(std::move(from_file));
    return Key<std::optional<std::string>>{index};
}

void Schema::leave_environment(std::string variable) {
    left_environment_.push_back(std::move(variable));
}

std::string Schema::help() const {
    std::string out;
    for (const Option& option : options_) {
        const std::string standard = option.required   ? "required"
                                     : option.fallback ? "default " + format_value(*option.fallback)
                                                       : "optional";
        out += fmt::format("  --{}  ({}; {})\n      {}\n", option.name, standard, environment_name(option.name),
                           option.help);
        if (!option.choices.empty()) out += fmt::format("      One of: {}\n", fmt::join(option.choices, ", "));
    }
    return out;
}

std::string environment_name(std::string_view option) {
    std::string name = "SLUICE_";
    for (const char c : option) {
        if (c == '.')
            name += "__";
        else
            name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
    return name;
}

}  // namespace sluice::core::config
