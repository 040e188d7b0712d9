// The unqualified name of a type, the same on both compilers: "OrderPlaced" for shop::OrderPlaced. A type may choose
// its own with `static constexpr std::string_view event_type`.
#pragma once

#include <string_view>

namespace sluice::core {

namespace internal {

template <class T>
constexpr std::string_view qualified_name() {
    std::string_view text = __PRETTY_FUNCTION__;
    text.remove_prefix(text.find("T = ") + 4);
    return text.substr(0, text.find_first_of(";]"));
}

}  // namespace internal

/// For non-template classes; stable as long as the class keeps its name.
template <class T>
constexpr std::string_view type_name() {
    if constexpr (requires { T::event_type; }) {
        return T::event_type;
    } else {
        constexpr std::string_view qualified = internal::qualified_name<T>();
        constexpr auto colon = qualified.rfind(':');
        return colon == std::string_view::npos ? qualified : qualified.substr(colon + 1);
    }
}

}  // namespace sluice::core
