// Which types JSON knows, decided at compile time.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include <boost/describe/enumerators.hpp>
#include <boost/describe/members.hpp>
#include <boost/mp11/algorithm.hpp>

#include "sluice/core/json/raw.hpp"
#include "sluice/core/strong.hpp"

namespace sluice::core::json::internal {

template <class T>
inline constexpr bool kIsOptional = false;
template <class T>
inline constexpr bool kIsOptional<std::optional<T>> = true;

template <class T>
inline constexpr bool kIsVector = false;
template <class T, class A>
inline constexpr bool kIsVector<std::vector<T, A>> = true;

template <class T>
inline constexpr bool kIsArray = false;
template <class T, std::size_t N>
inline constexpr bool kIsArray<std::array<T, N>> = true;

// Only maps whose order is that of bytes: any other order would not be canonical.
template <class T>
inline constexpr bool kIsMap = false;
template <class T, class A>
inline constexpr bool kIsMap<std::map<std::string, T, std::less<std::string>, A>> = true;
template <class T, class A>
inline constexpr bool kIsMap<std::map<std::string, T, std::less<>, A>> = true;

template <class T>
inline constexpr bool kIsStrong = false;
template <class Tag, class Rep>
inline constexpr bool kIsStrong<Strong<Tag, Rep>> = true;

template <class T>
concept Number =
    std::integral<T> && sizeof(T) <= 8 && !std::same_as<T, bool> && !std::same_as<T, char> &&
    !std::same_as<T, wchar_t> && !std::same_as<T, char8_t> && !std::same_as<T, char16_t> && !std::same_as<T, char32_t>;

template <class T>
concept DescribedStruct = std::is_class_v<T> && boost::describe::has_describe_members<T>::value;
template <class T>
concept DescribedEnum = std::is_enum_v<T> && boost::describe::has_describe_enumerators<T>::value;

/// Own and inherited members, those of bases first.
template <class T>
using Members = boost::describe::describe_members<T, boost::describe::mod_any_access | boost::describe::mod_inherited>;
template <class T>
using Enumerators = boost::describe::describe_enumerators<T>;

template <class T>
inline constexpr bool kUnknownType = false;

}  // namespace sluice::core::json::internal

/// Fails to compile with what is missing to make `T` readable and writable as JSON.
#define SLUICE_JSON_UNKNOWN_TYPE(T)                                                                            \
    static_assert(!std::is_floating_point_v<T>, "JSON: of the floating-point types only double is known");     \
    static_assert(!std::is_enum_v<T>, "JSON: describe this enum with BOOST_DESCRIBE_ENUM(Name, a, b, …)");     \
    static_assert(!std::is_class_v<T>,                                                                         \
                  "JSON: describe it with BOOST_DESCRIBE_STRUCT(Name, (bases), (members)), or use a type that" \
                  " sluice/core/json.hpp lists");                                                              \
    static_assert(::sluice::core::json::internal::kUnknownType<T>, "JSON: this type has no JSON form")
