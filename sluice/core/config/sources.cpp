#include "sluice/core/config/internal/sources.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <toml++/toml.h>

namespace sluice::core::config {
namespace {

constexpr std::string_view kPrefix = "SLUICE_";
constexpr std::string_view kTestPrefix = "SLUICE_TEST_";  // for test programs, which start servers that inherit it
constexpr std::string_view kMutantVariable = "SLUICE_MUTANT";

std::string place(const std::string& file_name, const toml::source_region& region) {
    return fmt::format("{}:{}:{}", file_name, region.begin.line, region.begin.column);
}

class TomlWalk {
public:
    TomlWalk(const std::string& file_name, std::vector<Problem>& problems)
        : file_name_(file_name), problems_(problems) {}

    void table(const toml::table& table, const std::string& prefix) {
        for (const auto& [key, node] : table) {
            const std::string name = prefix + std::string(key.str());
            if (const toml::table* inner = node.as_table())
                this->table(*inner, name + ".");
            else
                leaf(name, node);
        }
    }

    std::vector<Given> take() { return std::move(given_); }

private:
    void leaf(const std::string& name, const toml::node& node) {
        Given made{name, {}, place(file_name_, node.source()), true};
        if (const auto* truth = node.as_boolean())
            made.value = truth->get();
        else if (const auto* whole = node.as_integer())
            made.value = whole->get();
        else if (const auto* real = node.as_floating_point())
            made.value = real->get();
        else if (const auto* text = node.as_string())
            made.value = text->get();
        else if (const toml::array* array = node.as_array(); array != nullptr && is_texts(*array))
            made.value = texts(*array);
        else
            return problems_.push_back({made.where, fmt::format("'{}' has a type that no option takes", name)});
        given_.push_back(std::move(made));
    }

    static bool is_texts(const toml::array& array) {
        return std::all_of(array.begin(), array.end(), [](const toml::node& node) { return node.is_string(); });
    }

    static std::vector<std::string> texts(const toml::array& array) {
        std::vector<std::string> out;
        for (const toml::node& node : array)
            out.push_back(node.as_string()->get());
        return out;
    }

    const std::string& file_name_;
    std::vector<Problem>& problems_;
    std::vector<Given> given_;
};

std::string option_name(std::string_view variable) {
    std::string name;
    for (std::size_t i = kPrefix.size(); i < variable.size(); ++i) {
        const char c = variable[i];
        if (c == '_' && i + 1 < variable.size() && variable[i + 1] == '_') {
            name += '.';
            ++i;
        } else {
            name += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        }
    }
    return name;
}

// Insertions, deletions, replacements and swaps of neighbours.
std::size_t edits_between(std::string_view a, std::string_view b) {
    std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
    for (std::size_t i = 0; i <= a.size(); ++i) {
        for (std::size_t j = 0; j <= b.size(); ++j) {
            if (i == 0 || j == 0) {
                cost[i][j] = i + j;
                continue;
            }
            const std::size_t replaced = cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            cost[i][j] = std::min({replaced, cost[i - 1][j] + 1, cost[i][j - 1] + 1});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
        }
    }
    return cost[a.size()][b.size()];
}

}  // namespace

std::vector<Given> from_toml(const std::string& file_name, std::string_view text, std::vector<Problem>& problems) {
    try {
        const toml::table root = toml::parse(text);
        TomlWalk walk(file_name, problems);
        walk.table(root, "");
        return walk.take();
    } catch (const toml::parse_error& error) {
        problems.push_back({place(file_name, error.source()), fmt::format("no TOML: {}", error.description())});
        return {};
    }
}

std::vector<Given> from_environment(const Schema& schema, const std::map<std::string, std::string>& environment) {
    const std::vector<std::string>& left = schema.left_environment();
    std::vector<Given> given;
    for (const auto& [variable, text] : environment) {
        if (!variable.starts_with(kPrefix) || variable.starts_with(kTestPrefix) || variable == kMutantVariable)
            continue;
        if (std::find(left.begin(), left.end(), variable) != left.end()) continue;
        given.push_back(Given{option_name(variable), text, "environment " + variable, false});
    }
    return given;
}

std::vector<Given> from_arguments(const std::vector<std::string>& arguments, std::vector<Problem>& problems) {
    std::vector<Given> given;
    for (const std::string& argument : arguments) {
        const std::size_t equals = argument.find('=');
        const std::string flag = argument.substr(0, equals);
        const std::string where = "flag " + flag;
        if (!flag.starts_with("--") || flag.size() == 2) {
            problems.push_back({"argument " + argument, "expected --name=value"});
            continue;
        }
        const bool repeated =
            std::any_of(given.begin(), given.end(), [&](const Given& other) { return other.where == where; });
        if (repeated) problems.push_back({where, "is given twice"});
        given.push_back(
            Given{flag.substr(2), equals == std::string::npos ? "true" : argument.substr(equals + 1), where, false});
    }
    return given;
}

std::string nearest(std::string_view wanted, const std::vector<std::string>& names) {
    std::string best;
    std::size_t fewest = std::max<std::size_t>(2, wanted.size() / 3) + 1;
    for (const std::string& name : names) {
        const std::size_t edits = edits_between(wanted, name);
        if (edits >= fewest) continue;
        fewest = edits;
        best = name;
    }
    return best;
}

}  // namespace sluice::core::config
