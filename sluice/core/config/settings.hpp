// The values a program runs with, each with where it came from. One precedence: flags, environment, file, default.
//
//     config::Sources sources{.file_name = "sluice.toml", .file_text = text, .environment = env, .arguments = args};
//     auto settings = config::resolve(schema, sources);
//     if (!settings) for (const auto& problem : settings.error()) fmt::print(stderr, "{}\n",
//     config::to_string(problem));
#pragma once

#include <cstddef>
#include <expected>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/core/assert.hpp"
#include "sluice/core/config/schema.hpp"

namespace sluice::core::config {

/// One thing that is wrong: `where` is like "sluice.toml:3:5", "environment SLUICE_HTTP__PORT" or "flag --http.port".
struct Problem {
    std::string where;
    std::string message;
    friend bool operator==(const Problem&, const Problem&) = default;
};

/// "sluice.toml:3:5: unknown key 'http.prot'; the nearest is 'http.port'"
[[nodiscard]] std::string to_string(const Problem& problem);

/// A value in force.
struct Setting {
    Value value;
    std::string where;  ///< as in Problem, or "default"
};

/// The result of `resolve`. Immutable. Must not outlive its Schema.
class Settings {
public:
    /// `name` fills the `*` of the option's name.
    template <class T>
    [[nodiscard]] T get(Key<T> key, std::string_view name = {}) const {
        const Setting* found = find(key.index, name);
        SLUICE_ASSERT(found != nullptr, "no value for '{}' ('{}')", schema_->options()[key.index].name, name);
        return internal::from_value<T>(found->value);
    }
    template <class T>
    [[nodiscard]] std::optional<T> get(Key<std::optional<T>> key, std::string_view name = {}) const {
        const Setting* found = find(key.index, name);
        if (found == nullptr) return std::nullopt;
        return internal::from_value<T>(found->value);
    }
    /// The names that stand for `*` in options that begin with `prefix`, like "tenants", sorted.
    [[nodiscard]] std::vector<std::string> names(std::string_view prefix) const;
    /// Every value in force as one TOML line with where it came from; secrets redacted.
    [[nodiscard]] std::string print() const;

private:
    friend class Resolver;
    explicit Settings(const Schema& schema) : schema_(&schema) {}
    [[nodiscard]] const Setting* find(std::size_t index, std::string_view name) const;

    const Schema* schema_;
    std::map<std::string, Setting, std::less<>> settings_;  // by full name
    std::map<std::string, std::size_t, std::less<>> option_of_;
};

/// Everything that `resolve` looks at; it does no I/O of its own.
struct Sources {
    std::string file_name;  ///< for messages
    std::string file_text;  ///< TOML; empty: no file
    std::map<std::string, std::string> environment;
    std::vector<std::string> arguments;  ///< `--a.b=value`; `--a.b` alone means true
    /// Reads the file that a `…_file` setting names: its text, or why not.
    std::function<std::expected<std::string, std::string>(const std::string& path)> read_file;
};

/// Pure. Either every value is known and valid, or all problems are listed. Never throws but for lack of memory.
[[nodiscard]] std::expected<Settings, std::vector<Problem>> resolve(const Schema& schema, const Sources& sources);

/// Reads the process's environment, the file that `--config=PATH` or SLUICE_CONFIG names (if any) and resolves.
[[nodiscard]] std::expected<Settings, std::vector<Problem>> read(const Schema& schema, int argc,
                                                                 const char* const* argv);

}  // namespace sluice::core::config
