// Values as canonical JSON; see sluice/core/json.hpp for the types.
#pragma once

#include <string>

#include "sluice/core/json/internal/traits.hpp"
#include "sluice/core/json/raw.hpp"
#include "sluice/core/json/writer.hpp"

namespace sluice::core::json {

template <class T>
void write(Writer& writer, const T& value);

namespace internal {

template <class T>
void write_struct(Writer& writer, const T& value) {
    writer.begin_object();
    boost::mp11::mp_for_each<Members<T>>([&](auto member) {
        const auto& field = value.*member.pointer;
        if constexpr (kIsOptional<std::remove_cvref_t<decltype(field)>>) {
            if (!field) return;
            writer.key(member.name);
            json::write(writer, *field);
        } else {
            writer.key(member.name);
            json::write(writer, field);
        }
    });
    writer.end_object();
}

template <class T>
void write_enum(Writer& writer, T value) {
    const char* name = nullptr;
    boost::mp11::mp_for_each<Enumerators<T>>([&](auto enumerator) {
        if (enumerator.value == value) name = enumerator.name;
    });
    if (name == nullptr) throw EncodeError("an enum holds a value without a name");
    writer.value(std::string_view(name));
}

template <class T>
void write_map(Writer& writer, const T& map) {
    static_assert(!kIsOptional<typename T::mapped_type>, "JSON: leave a key out instead of mapping it to nothing");
    writer.begin_object();
    for (const auto& [key, value] : map) {
        writer.key(key);
        json::write(writer, value);
    }
    writer.end_object();
}

template <class T>
void write_sequence(Writer& writer, const T& sequence) {
    using Element = typename T::value_type;
    writer.begin_array();
    for (const Element& element : sequence)
        json::write(writer, element);
    writer.end_array();
}

}  // namespace internal

/// Writes `value` as the next value of `writer`. Throws EncodeError for NaN, infinities, text that is not UTF-8 and
/// enum values without a name.
template <class T>
void write(Writer& writer, const T& value) {
    if constexpr (std::same_as<T, bool> || std::same_as<T, double> || internal::Number<T>) {
        writer.value(value);
    } else if constexpr (std::same_as<T, std::string>) {
        writer.value(std::string_view(value));
    } else if constexpr (std::same_as<T, Raw>) {
        writer.raw(value.text);
    } else if constexpr (internal::kIsStrong<T>) {
        json::write(writer, value.value());
    } else if constexpr (internal::kIsOptional<T>) {
        static_assert(!internal::kIsOptional<typename T::value_type>, "JSON: an optional of an optional has no form");
        value ? json::write(writer, *value) : writer.null();
    } else if constexpr (internal::kIsVector<T> || internal::kIsArray<T>) {
        internal::write_sequence(writer, value);
    } else if constexpr (internal::kIsMap<T>) {
        internal::write_map(writer, value);
    } else if constexpr (internal::DescribedEnum<T>) {
        internal::write_enum(writer, value);
    } else if constexpr (internal::DescribedStruct<T>) {
        internal::write_struct(writer, value);
    } else {
        SLUICE_JSON_UNKNOWN_TYPE(T);
    }
}

/// `value` as canonical JSON: equal values are equal bytes. Throws as `write`.
template <class T>
[[nodiscard]] std::string encode(const T& value) {
    std::string out;
    out.reserve(128);  // most events fit, and four allocations are saved
    Writer writer(out);
    json::write(writer, value);
    return out;
}

}  // namespace sluice::core::json
