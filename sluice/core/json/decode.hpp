// Described values out of JSON from outside; see sluice/core/json.hpp for the types.
#pragma once

#include <charconv>
#include <expected>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/core/json/internal/read_state.hpp"
#include "sluice/core/json/internal/traits.hpp"
#include "sluice/core/json/node.hpp"
#include "sluice/core/json/raw.hpp"

namespace sluice::core::json {
namespace internal {

template <class T>
bool read(Node node, T& into, ReadState& state);

template <class T>
bool read_integer(Node node, T& into, ReadState& state) {
    if (node.kind() != Kind::integer) return state.refuse_kind("an integer", node);
    const std::string_view digits = node.number_text();
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), into);
    if (parsed.ec == std::errc{} && parsed.ptr == digits.data() + digits.size()) return true;
    return state.refuse_integer(std::to_string(std::numeric_limits<T>::min()),
                                std::to_string(std::numeric_limits<T>::max()), digits);
}

template <class T>
bool read_element(Node node, T& into, std::size_t index, ReadState& state) {
    return internal::read(node, into, state) || state.in_element(index);
}

template <class T>
bool read_vector(Node node, T& into, ReadState& state) {
    if (node.kind() != Kind::array) return state.refuse_kind("an array", node);
    into.clear();
    into.reserve(node.size());
    for (const Node element : node) {
        typename T::value_type value{};
        if (!read_element(element, value, into.size(), state)) return false;
        into.push_back(std::move(value));
    }
    return true;
}

template <class T>
bool read_array(Node node, T& into, ReadState& state) {
    if (node.kind() != Kind::array) return state.refuse_kind("an array", node);
    if (node.size() != into.size()) return state.refuse_size(into.size(), node.size());
    std::size_t index = 0;
    for (const Node element : node) {
        if (!read_element(element, into[index], index, state)) return false;
        ++index;
    }
    return true;
}

template <class T>
bool read_map(Node node, T& into, ReadState& state) {
    static_assert(!kIsOptional<typename T::mapped_type>, "JSON: leave a key out instead of mapping it to nothing");
    if (node.kind() != Kind::object) return state.refuse_kind("an object", node);
    into.clear();
    for (const Node member : node) {
        typename T::mapped_type value{};
        if (!internal::read(member, value, state)) return state.in_member(member.name());
        into.emplace(std::string(member.name()), std::move(value));
    }
    return true;
}

template <class T>
bool read_enum(Node node, T& into, ReadState& state) {
    const std::optional<std::string_view> text = node.string();
    if (!text) return state.refuse_kind("a string", node);
    bool found = false;
    std::vector<std::string_view> names;
    boost::mp11::mp_for_each<Enumerators<T>>([&](auto enumerator) {
        if (*text == enumerator.name) {
            into = enumerator.value;
            found = true;
        }
        if (!found) names.emplace_back(enumerator.name);
    });
    if (found) return true;
    return state.refuse_enumerator(names, node);
}

template <class T>
bool read_field(MemberReader& members, const char* name, T& field, ReadState& state) {
    const std::optional<Node> member = members.take(name);
    if constexpr (kIsOptional<T>) {
        field.reset();
        if (!member) return true;
    } else {
        if (!member) return state.refuse("missing") || state.in_member(name);
    }
    return internal::read(*member, field, state) || state.in_member(name);
}

template <class T>
bool read_struct(Node node, T& into, ReadState& state) {
    if (node.kind() != Kind::object) return state.refuse_kind("an object", node);
    MemberReader members(node);
    bool good = true;
    boost::mp11::mp_for_each<Members<T>>([&](auto member) {
        if (good) good = read_field(members, member.name, into.*member.pointer, state);
    });
    if (!good || state.ignores_unknown() || members.all_taken()) return good;
    const auto is_known = [](std::string_view name) {
        bool known = false;
        boost::mp11::mp_for_each<Members<T>>([&](auto member) { known = known || name == member.name; });
        return known;
    };
    for (const Node member : node)
        if (!is_known(member.name())) return state.refuse("unknown member") || state.in_member(member.name());
    return true;
}

template <class T>
bool read_optional(Node node, T& into, ReadState& state) {
    static_assert(!kIsOptional<typename T::value_type>, "JSON: an optional of an optional has no form");
    into.reset();
    return node.is_null() || internal::read(node, into.emplace(), state);
}

template <class T>
bool read_strong(Node node, T& into, ReadState& state) {
    typename T::Representation value{};
    if (!internal::read(node, value, state)) return false;
    into = T(value);
    return true;
}

template <class T>
bool read(Node node, T& into, ReadState& state) {
    if constexpr (std::same_as<T, bool> || std::same_as<T, double> || std::same_as<T, std::string> ||
                  std::same_as<T, Raw>) {
        return state.read_plain(node, into);
    } else if constexpr (Number<T>) {
        return read_integer(node, into, state);
    } else if constexpr (kIsStrong<T>) {
        return read_strong(node, into, state);
    } else if constexpr (kIsOptional<T>) {
        return read_optional(node, into, state);
    } else if constexpr (kIsVector<T>) {
        return read_vector(node, into, state);
    } else if constexpr (kIsArray<T>) {
        return read_array(node, into, state);
    } else if constexpr (kIsMap<T>) {
        return read_map(node, into, state);
    } else if constexpr (DescribedEnum<T>) {
        return read_enum(node, into, state);
    } else if constexpr (DescribedStruct<T>) {
        return read_struct(node, into, state);
    } else {
        SLUICE_JSON_UNKNOWN_TYPE(T);
    }
}

}  // namespace internal

/// Reads a T out of a parsed value; only `limits.ignore_unknown` matters here. Paths in errors start at `node`.
template <class T>
[[nodiscard]] std::expected<T, DecodeError> read(Node node, const Limits& limits = {}) {
    internal::ReadState state(limits);
    T value{};
    if (!internal::read(node, value, state)) return std::unexpected(state.error());
    return value;
}

/// Parses `text` strictly and reads a T out of it. Never throws but for lack of memory.
template <class T>
[[nodiscard]] std::expected<T, DecodeError> decode(std::string_view text, const Limits& limits = {}) {
    const std::expected<Document, DecodeError> document = parse(text, limits);
    if (!document) return std::unexpected(document.error());
    return json::read<T>(document->root(), limits);
}

}  // namespace sluice::core::json
