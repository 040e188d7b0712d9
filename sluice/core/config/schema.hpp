// The options that a program has, declared once: name, default, help. Everything else in its configuration is an error.
//
//     config::Schema schema;
//     const auto port = schema.option<std::uint16_t>("http.port", 8080, "Port of the public listener");
//     const auto idle = schema.option<std::chrono::milliseconds>("http.idle_time", 60s, "Between requests");
//     const auto source = schema.required<std::string>("tenants.*.source", "The tenant's data source");
//     …
//     settings.get(port);  settings.get(source, "shop_a");
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/core/config/value.hpp"

namespace sluice::core::config {

enum class ValueKind : std::uint8_t { boolean, integer, real, text, duration, size, texts };

/// One declared option. Names are lower-case segments joined by dots; one segment may be `*`, which stands for names
/// that the configuration chooses.
struct Option {
    std::string name;
    ValueKind kind = ValueKind::text;
    std::string help;
    std::optional<Value> fallback;
    bool required = false;
    bool secret = false;               ///< printed as "<redacted>"; may also come from the file named by `<name>_file`
    std::int64_t lowest = 0;           ///< of an integer
    std::int64_t highest = 0;          ///< of an integer
    std::vector<std::string> choices;  ///< of a text; empty: any
};

/// Handle of a declared option of type T.
template <class T>
struct Key {
    std::size_t index = 0;
};

namespace internal {

template <class T>
concept Duration = requires { typename T::period; };
template <class T>
concept Integer = std::integral<T> && !std::same_as<T, bool> && (std::signed_integral<T> || sizeof(T) < 8);

template <class T>
consteval ValueKind kind_of() {
    if constexpr (std::same_as<T, bool>)
        return ValueKind::boolean;
    else if constexpr (Integer<T>)
        return ValueKind::integer;
    else if constexpr (std::same_as<T, double>)
        return ValueKind::real;
    else if constexpr (std::same_as<T, std::string>)
        return ValueKind::text;
    else if constexpr (Duration<T>)
        return ValueKind::duration;
    else if constexpr (std::same_as<T, ByteSize>)
        return ValueKind::size;
    else {
        static_assert(
            std::same_as<T, std::vector<std::string>>,
            "config: use bool, an integer, double, std::string, a chrono duration, ByteSize or a vector of texts");
        return ValueKind::texts;
    }
}

template <class T>
Value to_value(T value) {
    if constexpr (Integer<T>)
        return static_cast<std::int64_t>(value);
    else if constexpr (Duration<T>)
        return std::chrono::duration_cast<std::chrono::nanoseconds>(value);
    else
        return Value(std::move(value));
}

template <class T>
T from_value(const Value& value) {
    if constexpr (Integer<T>)
        return static_cast<T>(std::get<std::int64_t>(value));
    else if constexpr (Duration<T>)
        return std::chrono::duration_cast<T>(std::get<std::chrono::nanoseconds>(value));
    else
        return std::get<T>(value);
}

}  // namespace internal

/// Declared before use, then only read. Declaring a name twice or a malformed name is a programming error.
class Schema {
public:
    template <class T>
    Key<T> option(std::string name, T fallback, std::string help) {
        Option made = base<T>(std::move(name), std::move(help));
        made.fallback = internal::to_value(std::move(fallback));
        return Key<T>{add(std::move(made))};
    }
    /// An integer within [lowest, highest].
    template <internal::Integer T>
    Key<T> option(std::string name, T fallback, std::pair<T, T> range, std::string help) {
        Option made = base<T>(std::move(name), std::move(help));
        made.fallback = internal::to_value(fallback);
        made.lowest = range.first;
        made.highest = range.second;
        return Key<T>{add(std::move(made))};
    }
    /// One of `choices`.
    Key<std::string> choice(std::string name, std::string fallback, std::vector<std::string> choices, std::string help);
    /// Must be set. With `*` in the name: once for every name that occurs.
    template <class T>
    Key<T> required(std::string name, std::string help) {
        Option made = base<T>(std::move(name), std::move(help));
        made.required = true;
        return Key<T>{add(std::move(made))};
    }
    template <class T>
    Key<std::optional<T>> optional(std::string name, std::string help) {
        return Key<std::optional<T>>{add(base<T>(std::move(name), std::move(help)))};
    }
    /// Text that is never printed. `<name>_file` names a file to read it from.
    Key<std::optional<std::string>> secret(std::string name, std::string help);
    /// An environment variable with our prefix that is none of these options.
    void leave_environment(std::string variable);

    [[nodiscard]] const std::vector<Option>& options() const noexcept { return options_; }
    [[nodiscard]] const std::vector<std::string>& left_environment() const noexcept { return left_environment_; }
    /// Name, default, environment variable and help of every option, for `--help`.
    [[nodiscard]] std::string help() const;

private:
    template <class T>
    static Option base(std::string name, std::string help) {
        Option made;
        made.name = std::move(name);
        made.help = std::move(help);
        made.kind = internal::kind_of<T>();
        if constexpr (internal::Integer<T>) {
            made.lowest = std::numeric_limits<T>::min();
            made.highest = std::numeric_limits<T>::max();
        }
        return made;
    }
    std::size_t add(Option option);

    std::vector<Option> options_;
    std::vector<std::string> left_environment_;
};

/// SLUICE_HTTP__IDLE_TIME for `http.idle_time`: two underscores between levels.
[[nodiscard]] std::string environment_name(std::string_view option);

}  // namespace sluice::core::config
