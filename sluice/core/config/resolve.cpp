#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "sluice/core/config/internal/sources.hpp"
#include "sluice/core/config/settings.hpp"

namespace sluice::core::config {
namespace {

// The part of `name` that stands for the `*` of `pattern`; nothing if they do not match. Empty without a `*`.
std::optional<std::string> match(std::string_view pattern, std::string_view name) {
    const std::size_t star = pattern.find('*');
    if (star == std::string_view::npos) return pattern == name ? std::optional(std::string()) : std::nullopt;
    const std::string_view before = pattern.substr(0, star);
    const std::string_view behind = pattern.substr(star + 1);
    if (name.size() <= before.size() + behind.size() || !name.starts_with(before) || !name.ends_with(behind))
        return std::nullopt;
    const std::string_view middle = name.substr(before.size(), name.size() - before.size() - behind.size());
    if (middle.find('.') != std::string_view::npos) return std::nullopt;
    return std::string(middle);
}

std::string fill(std::string_view pattern, std::string_view name) {
    std::string full(pattern);
    if (const std::size_t star = full.find('*'); star != std::string::npos) full.replace(star, 1, name);
    return full;
}

// "tenants." of "tenants.*.source"; empty without a `*`.
std::string_view table_of(std::string_view pattern) {
    const std::size_t star = pattern.find('*');
    return star == std::string_view::npos ? std::string_view() : pattern.substr(0, star);
}

}  // namespace

/// Lays the sources over each other, weakest first, and then looks at what is missing.
class Resolver {
public:
    Resolver(const Schema& schema, const Sources& sources) : schema_(schema), sources_(sources), settings_(schema) {}

    std::expected<Settings, std::vector<Problem>> run() {
        for (const Given& given : from_toml(sources_.file_name, sources_.file_text, problems_))
            take(given);
        for (const Given& given : from_environment(schema_, sources_.environment))
            take(given);
        for (const Given& given : from_arguments(sources_.arguments, problems_))
            take(given);
        read_secret_files();
        for (std::size_t index = 0; index < schema_.options().size(); ++index)
            complete(index);
        if (!problems_.empty()) return std::unexpected(std::move(problems_));
        return std::move(settings_);
    }

private:
    void take(const Given& given) {
        for (std::size_t index = 0; index < schema_.options().size(); ++index) {
            const Option& option = schema_.options()[index];
            const std::optional<std::string> star = match(option.name, given.name);
            if (!star) continue;
            if (!star->empty()) names_[std::string(table_of(option.name))].insert(*star);
            auto value = convert(option, given);
            if (!value) return problems_.push_back({given.where, std::move(value.error())});
            return put(index, given.name, Setting{std::move(*value), given.where});
        }
        problems_.push_back({given.where, unknown(given.name)});
    }

    void put(std::size_t index, const std::string& name, Setting setting) {
        settings_.settings_.insert_or_assign(name, std::move(setting));
        settings_.option_of_.insert_or_assign(name, index);
    }

    std::string unknown(const std::string& name) const {
        std::vector<std::string> known;
        for (const Option& option : schema_.options())
            known.push_back(like(option.name, name));
        const std::string close = nearest(name, known);
        if (close.empty()) return fmt::format("unknown key '{}'", name);
        return fmt::format("unknown key '{}'; the nearest is '{}'", name, close);
    }

    // The pattern with the name that the user chose in the place of `*`, so that only real differences count.
    static std::string like(const std::string& pattern, std::string_view name) {
        const std::string_view table = table_of(pattern);
        if (table.empty() || !name.starts_with(table)) return pattern;
        const std::string_view rest = name.substr(table.size());
        return fill(pattern, rest.substr(0, rest.find('.')));
    }

    void read_secret_files() {
        const auto given = settings_.settings_;  // secrets are added while walking
        for (const auto& [name, setting] : given) {
            if (!name.ends_with("_file")) continue;
            const std::string target = name.substr(0, name.size() - 5);
            const std::optional<std::size_t> index = secret_named(target);
            if (index) read_secret(*index, target, setting);
        }
    }

    std::optional<std::size_t> secret_named(const std::string& name) const {
        for (std::size_t index = 0; index < schema_.options().size(); ++index)
            if (schema_.options()[index].secret && match(schema_.options()[index].name, name)) return index;
        return std::nullopt;
    }

    void read_secret(std::size_t index, const std::string& name, const Setting& file) {
        if (const auto both = settings_.settings_.find(name); both != settings_.settings_.end())
            return problems_.push_back({file.where, fmt::format("'{}' is also set by {}", name, both->second.where)});
        const std::string& path = std::get<std::string>(file.value);
        auto text = sources_.read_file ? sources_.read_file(path) : std::unexpected("files cannot be read here");
        if (!text) return problems_.push_back({file.where, fmt::format("'{}': {}", path, text.error())});
        while (text->ends_with('\n') || text->ends_with('\r'))
            text->pop_back();
        put(index, name, Setting{std::move(*text), file.where});
    }

    void complete(std::size_t index) {
        const Option& option = schema_.options()[index];
        if (table_of(option.name).empty()) return complete(index, option.name);
        for (const std::string& name : names_[std::string(table_of(option.name))])
            complete(index, fill(option.name, name));
    }

    void complete(std::size_t index, const std::string& name) {
        const Option& option = schema_.options()[index];
        if (settings_.settings_.contains(name)) return;
        if (option.fallback) return put(index, name, Setting{*option.fallback, "default"});
        if (!option.required) return;
        problems_.push_back({"configuration", fmt::format("'{}' is missing: set it in the file, as {} or with --{}=…",
                                                          name, environment_name(name), name)});
    }

    const Schema& schema_;
    const Sources& sources_;
    Settings settings_;
    std::vector<Problem> problems_;
    std::map<std::string, std::set<std::string>> names_;  // by table, "tenants."
};

std::string to_string(const Problem& problem) {
    return problem.where + ": " + problem.message;
}

const Setting* Settings::find(std::size_t index, std::string_view name) const {
    const auto found = settings_.find(fill(schema_->options()[index].name, name));
    return found == settings_.end() ? nullptr : &found->second;
}

std::vector<std::string> Settings::names(std::string_view prefix) const {
    std::set<std::string> names;
    for (const auto& [full, index] : option_of_) {
        const std::string& pattern = schema_->options()[index].name;
        if (table_of(pattern) == std::string(prefix) + ".") names.insert(*match(pattern, full));
    }
    return {names.begin(), names.end()};
}

std::string Settings::print() const {
    std::string out;
    for (const auto& [name, setting] : settings_) {
        const bool secret = schema_->options()[option_of_.at(name)].secret;
        out += fmt::format("{} = {}  # {}\n", name, secret ? "\"<redacted>\"" : format_value(setting.value),
                           setting.where);
    }
    return out;
}

std::expected<Settings, std::vector<Problem>> resolve(const Schema& schema, const Sources& sources) {
    return Resolver(schema, sources).run();
}

}  // namespace sluice::core::config
