// What a queue carries against what a projection folds, at compile time.
#pragma once

#include <concepts>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "sluice/core/type_name.hpp"

namespace sluice::projection::internal {

/// The alternatives of a variant; of any other event, itself.
template <class Event>
struct Alternatives {
    template <class One>
    static constexpr bool has = std::same_as<Event, One>;
    template <class Visit>
    static void for_each(Visit visit) {
        visit.template operator()<Event>();
    }
    template <class... Queues>
    static consteval bool all_in();
};
template <class... Each>
struct Alternatives<std::variant<Each...>> {
    template <class One>
    static constexpr bool has = (std::same_as<Each, One> || ...);
    template <class Visit>
    static void for_each(Visit visit) {
        (visit.template operator()<Each>(), ...);
    }
    template <class... Queues>
    static consteval bool all_in();
};

template <class One, class... Queues>
consteval bool in_any() {
    return (Alternatives<Queues>::template has<One> || ...);
}
template <class Event>
template <class... Queues>
consteval bool Alternatives<Event>::all_in() {
    return in_any<Event, Queues...>();
}
template <class... Each>
template <class... Queues>
consteval bool Alternatives<std::variant<Each...>>::all_in() {
    return (in_any<Each, Queues...>() && ...);
}

/// Whether every alternative of Event is one of some queue's.
template <class Event, class... Queues>
consteval bool carries_all() {
    return (std::same_as<Event, Queues> && ...) || Alternatives<Event>::template all_in<Queues...>();
}

/// The names of the types that the queues carry and Event does not have.
template <class Event, class... Queues>
std::set<std::string, std::less<>> foreign_types() {
    std::set<std::string, std::less<>> names;
    const auto add = [&names]<class One>() {
        if constexpr (!Alternatives<Event>::template has<One>) names.emplace(core::type_name<One>());
    };
    (Alternatives<Queues>::for_each(add), ...);
    return names;
}

template <class P>
consteval bool yields_several_keys() {
    return std::same_as<
        std::remove_cvref_t<decltype(std::declval<const P&>().key(std::declval<const typename P::Event&>()))>,
        std::vector<std::string>>;
}

}  // namespace sluice::projection::internal
